"""Training data: frames of one or several systems, drawn in keyed batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from tbg_core.contracts.system import Batch
from tbg_core.ensemble.weights import systematic_rows
from tbg_core.errors import ConfigError
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_core.contracts.system import System
    from tbg_core.datasets.positions import Positions


@dataclass(frozen=True)
class Frames:
    """Equilibrium frames of one system.

    Attributes:
        system: What they are frames of.
        positions: [n, *event], float32, nm for molecules; perhaps on disk (:class:`tbg_core.datasets.Positions`).
        walker: Which independent simulation a frame is from [n].
        weights: Probability of drawing each frame [n], or None for uniform.
    """

    system: System
    positions: np.ndarray | Positions
    walker: np.ndarray
    weights: np.ndarray | None = None

    def split(self, validation_fraction: float) -> tuple[Frames, Frames | None]:
        """Training and validation part: whole walkers where there are several, else the last frames.

        Frames of one walker are correlated, so that a random split would validate on the training data. Something
        is always left to train on; there is no validation part where a single walker has too few frames.
        """
        if validation_fraction == 0.0:
            return self, None
        walkers = np.unique(self.walker)
        if len(walkers) > 1:
            count = min(max(1, round(validation_fraction * len(walkers))), len(walkers) - 1)
            held_out = walkers[-count:]
            validation = np.isin(self.walker, held_out)
        else:
            validation = np.arange(len(self.walker)) >= max(1.0, (1.0 - validation_fraction) * len(self.walker))
        if not validation.any():
            return self, None
        return self._select(~validation), self._select(validation)

    def drawn(self, most: int | None = None) -> np.ndarray:
        """As many positions as there are, each as often as training draws it [n, *event].

        Args:
            most: Roughly how many of them to read, evenly spread; None: all.
        """
        if self.weights is None:
            rows = np.arange(len(self.positions))
        else:
            with np.errstate(divide="ignore"):
                rows = systematic_rows(np.log(self.weights), len(self.weights), 0.5)
        step = 1 if most is None else max(1, len(rows) // most)
        return np.asarray(self.positions.take(rows[::step], axis=0))

    def _select(self, rows: np.ndarray) -> Frames:
        weights = None if self.weights is None else self.weights[rows] / self.weights[rows].sum()
        # `take` leaves positions that are memory-mapped where they are.
        kept = self.positions.take(np.flatnonzero(rows), axis=0)
        return Frames(self.system, kept, self.walker[rows], weights)


def merge_frames(frames: Sequence[Frames]) -> list[Frames]:
    """Joins frames of the same system from several folders.

    A frame of a folder without weights is drawn as often as any other of it; folders share the draws in
    proportion to their effective numbers of frames, 1 / sum w^2.
    """
    merged: dict[str, list[Frames]] = {}
    for f in frames:
        merged.setdefault(f.system.key, []).append(f)
    return [parts[0] if len(parts) == 1 else _joined(parts) for parts in merged.values()]


def _joined(parts: list[Frames]) -> Frames:
    first = np.cumsum([0, *(part.walker.max() + 1 for part in parts)])
    weights = None
    if any(part.weights is not None for part in parts):
        each = [np.full(len(p.positions), 1.0 / len(p.positions)) if p.weights is None else p.weights for p in parts]
        shares = np.array([1.0 / (w @ w) for w in each])
        weights = np.concatenate([w * share for w, share in zip(each, shares / shares.sum(), strict=True)])
    return Frames(
        parts[0].system,
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.walker + shift for part, shift in zip(parts, first, strict=False)]),
        weights,
    )


SIZE_SPREAD = 1.15
"""The largest system of a batch has at most so many times the atoms of the smallest."""


class TrainingData:
    """Frames of several systems; a batch holds equally many of each system, on average.

    Systems of about one size share a batch, so that little of it is padding: each batch is from one bucket, which is
    drawn with a probability in proportion to the number of its systems.

    Args:
        frames: One entry per system.
    """

    def __init__(self, frames: Sequence[Frames]) -> None:
        if not frames or any(len(f.positions) == 0 for f in frames):
            raise ConfigError("there are no training frames.", fix="Simulate some first: tbg simulate --help.")
        self.frames = tuple(frames)
        self.systems = tuple(f.system for f in frames)
        self.buckets = _buckets(self.systems)

    def batch(self, seed: int, step: int, size: int) -> tuple[Tensor, Batch]:
        """The batch of a step: a function of (seed, step, size) alone, so that training can resume exactly.

        Returns:
            States [size, *event], float32, padded with zeros to the largest system, and whose they are.
        """
        rng = generator(seed, "batch", step)
        bucket = self.buckets[0]
        if len(self.buckets) > 1:
            bucket = self.buckets[self._bucket_of[int(rng.integers(len(self.systems)))]]
        index = rng.integers(len(bucket), size=size) if len(bucket) > 1 else np.zeros(size, np.int64)
        rows = []
        for i in (bucket[k] for k in index):
            frames = self.frames[i]
            # Inverse transform of one uniform number: cheap, and independent of how numpy draws choices.
            if frames.weights is None:
                row = int(rng.random() * len(frames.positions))
            else:
                row = int(np.searchsorted(self._cumulative(int(i)), rng.random(), side="right"))
            rows.append(frames.positions[min(row, len(frames.positions) - 1)])
        return self._pad(rows, np.asarray(index), tuple(self.systems[k] for k in bucket))

    @cached_property
    def _bucket_of(self) -> dict[int, int]:
        return {i: b for b, bucket in enumerate(self.buckets) for i in bucket}

    def _cumulative(self, i: int) -> np.ndarray:
        if not hasattr(self, "_tables"):
            self._tables = [None if f.weights is None else np.cumsum(f.weights) for f in self.frames]
        table = self._tables[i]
        assert table is not None  # noqa: S101 - only asked for weighted frames
        return table

    @staticmethod
    def _pad(rows: list[np.ndarray], index: np.ndarray, systems: tuple[System, ...]) -> tuple[Tensor, Batch]:
        lengths = {len(row) for row in rows}
        if len(lengths) == 1 and len({s.space.event_shape for s in systems}) == 1:
            x = torch.from_numpy(np.stack(rows).astype(np.float32))
            return x, Batch(systems, torch.from_numpy(index))
        longest = max(s.space.event_shape[0] for s in systems)
        x = torch.zeros((len(rows), longest, *rows[0].shape[1:]))
        mask = torch.zeros((len(rows), longest), dtype=torch.bool)
        for i, row in enumerate(rows):
            x[i, : len(row)] = torch.from_numpy(row)
            mask[i, : len(row)] = True
        return x, Batch(systems, torch.from_numpy(index), mask)


def _buckets(systems: Sequence[System]) -> tuple[tuple[int, ...], ...]:
    """Positions of systems of about one size, each bucket ascending; buckets by size."""
    sizes = [s.space.event_shape[0] for s in systems]
    buckets: list[list[int]] = []
    for i in sorted(range(len(sizes)), key=lambda i: (sizes[i], i)):
        if buckets and sizes[i] <= SIZE_SPREAD * sizes[buckets[-1][0]]:
            buckets[-1].append(i)
        else:
            buckets.append([i])
    return tuple(tuple(sorted(bucket)) for bucket in buckets)


LEAST_IN_WINDOW = 10.0
"""Frames in a window below which it gets less than its share, so that no frame is drawn too often."""


def oversampling_weights(
    values: np.ndarray, centre: float, kappa: float, share: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Frame weights that raise a rare region of a torsion: r * vonMises(value; centre, kappa) + 1.

    Klein & Noe (2024, appendix B) do so for the positive-phi state of alanine dipeptide (centre 1, kappa 10). The
    model then learns a density that is not the Boltzmann density, and importance weights correct for it.

    A window with fewer frames than :data:`LEAST_IN_WINDOW` (counted by the bump) gets less than its share, in
    proportion: some of many simulations never come there, and the frames nearest to it are not to be learned by heart.

    Args:
        values: The torsion in each frame [n], radians.
        centre: Where to add weight, radians.
        kappa: Concentration of the von Mises bump.
        share: Share of the total weight that the bump adds, in (0, 1); fixes r.
        weights: Probabilities of the frames [n] that the window is laid over; None: they are alike.
    """
    n = len(values)
    bump = np.exp(kappa * (np.cos(values - centre) - 1.0))
    in_window = float(bump.sum()) if weights is None else n * float(weights @ bump)
    r = share / (1.0 - share) * n / max(in_window, LEAST_IN_WINDOW)
    raised = (r * bump + 1.0) * (1.0 if weights is None else weights)
    return np.asarray(raised / raised.sum())
