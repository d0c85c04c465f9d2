"""Where to look next: Monte Carlo on the PMF until it is no longer known, and points far from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Cells that walkers hop on.

    Attributes:
        low: Lower ends [d].
        high: Upper ends [d].
        cells: Cells along each coordinate.
        periodic: Whether the ends are joined.
    """

    low: np.ndarray
    high: np.ndarray
    cells: int
    periodic: bool

    @property
    def centres(self) -> np.ndarray:
        """[cells^d, d], the last coordinate running fastest."""
        unit = (np.arange(self.cells) + 0.5) / self.cells
        axes = [low + (high - low) * unit for low, high in zip(self.low, self.high, strict=True)]
        return np.asarray(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(self.low)))

    def index(self, s: np.ndarray) -> np.ndarray:
        """Cell of each point [n, d] along each coordinate [n, d], int64; outside is moved to the border."""
        at = np.floor((s - self.low) / (self.high - self.low) * self.cells).astype(np.int64)
        return np.asarray(at % self.cells if self.periodic else np.clip(at, 0, self.cells - 1))

    def flat(self, at: np.ndarray) -> np.ndarray:
        """Rows of :attr:`centres` of cells [n, d]."""
        return np.asarray(np.ravel_multi_index(tuple(at.T), (self.cells,) * at.shape[1]))


def walk(
    grid: Grid,
    reduced: np.ndarray,
    uncertain: np.ndarray,
    start: np.ndarray,
    steps: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Cells (rows of ``grid.centres``) at which Metropolis walkers met an uncertain cell, and stopped.

    Args:
        grid: Where they hop, to one of the neighbouring cells at a time.
        reduced: Free energy of each cell over the walkers' own temperature.
        uncertain: Whether a walker stops there, of each cell.
        start: Points where walkers begin [n, d]; one that is uncertain itself is found at once.
        steps: Most hops of a walker.
        random: Decides hops and acceptance.
    """
    at = grid.index(start)
    d = at.shape[1]
    found: list[np.ndarray] = []
    for _ in range(steps):
        lost = uncertain[grid.flat(at)]
        if lost.any():
            found.append(grid.flat(at[lost]))
            at = at[~lost]
        if not len(at):
            break
        hop = np.zeros_like(at)
        hop[np.arange(len(at)), random.integers(0, d, len(at))] = random.choice((-1, 1), len(at))
        proposed, allowed = at + hop, np.ones(len(at), dtype=bool)
        if grid.periodic:
            proposed %= grid.cells
        else:
            allowed = ((proposed >= 0) & (proposed < grid.cells)).all(1)
            proposed = np.where(allowed[:, None], proposed, at)
        rise = reduced[grid.flat(proposed)] - reduced[grid.flat(at)]
        accepted = allowed & (np.log1p(-random.random(len(at))) < -rise)
        at = np.where(accepted[:, None], proposed, at)
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def farthest_points(s: np.ndarray, count: int, scale: np.ndarray, *, periodic: bool) -> np.ndarray:
    """Rows of ``count`` of the points [n, d] that are far from each other, greedily, from the first one on."""
    if len(s) <= count:
        return np.arange(len(s))
    embedded = np.concatenate([np.cos(s), np.sin(s)], axis=1) if periodic else s / scale
    chosen = [0]
    nearest = ((embedded - embedded[0]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, ((embedded - embedded[chosen[-1]]) ** 2).sum(1))
    return np.array(chosen)


def broadened(
    s: np.ndarray, count: int, reach: np.ndarray, random: np.random.Generator, *, periodic: bool
) -> np.ndarray:
    """``count`` points [n * count, d] around each of s [n, d], uniform within ``reach`` [d] of it."""
    spread = np.repeat(s, count, axis=0)
    spread = spread + reach * random.uniform(-1.0, 1.0, spread.shape)
    return (spread + np.pi) % (2.0 * np.pi) - np.pi if periodic else spread
