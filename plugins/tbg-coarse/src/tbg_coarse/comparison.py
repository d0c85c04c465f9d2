"""How far a PMF is from that of a reference simulation, round by round, and how far plain dynamics is at equal cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from tbg_coarse.exploration import Grid
from tbg_core.datasets.folder import simulation_frames
from tbg_core.errors import StorageError
from tbg_core.storage.folders import CONFIG, check_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tbg_coarse.coordinates import Coordinates
    from tbg_coarse.rounds import State
    from tbg_core.contracts.system import System

CELLS: Final = {1: 60, 2: 36}
"""Cells along each of one or two coarse coordinates in which distributions are compared."""
_INSIDE: Final = 4
"""Points along each coordinate at which F is averaged over a cell."""
_BLURS: Final = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
_PSEUDO: Final = (0.01, 0.1, 1.0)
_FS_PER_PS: Final = 1000.0


@dataclass(frozen=True)
class Reference:
    """A distribution of s in cells.

    Attributes:
        grid: The cells.
        p: Probability of each [m].
        floor: Forward divergence between its two halves, smoothed: what its own noise amounts to.
        frames: Frames that it is from.
    """

    grid: Grid
    p: np.ndarray
    floor: float
    frames: int


@dataclass(frozen=True)
class Trace:
    """A divergence as energies are spent.

    Attributes:
        energies: [n].
        divergence: Forward divergence from the reference [n], or of each of r repeats [n, r].
    """

    energies: np.ndarray
    divergence: np.ndarray


def coarse_values(folder: Path, system: System, coordinates: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    """s of the frames of a simulation [n, d], and the walker of each [n].

    Raises:
        StorageError: If the folder holds no frames, or those of another system.
    """
    frames = simulation_frames(check_run(folder))
    if frames.system.key != system.key:
        raise StorageError(
            f"{folder} is a simulation of {frames.system.name}, not of {system.name}.", fix="Give another folder."
        )
    x = torch.from_numpy(np.asarray(frames.positions[:])).double()
    s = np.concatenate([coordinates.split(part).coarse.numpy() for part in torch.split(x, 4096)])
    return s, np.asarray(frames.walker)


def load_reference(folder: Path, system: System, coordinates: Coordinates) -> Reference:
    """The reference distribution of s."""
    s, walker = coarse_values(folder, system, coordinates)
    d = s.shape[1]
    low, high = (np.full(d, -np.pi), np.full(d, np.pi)) if coordinates.periodic else (s.min(0), s.max(0) + 1e-9)
    grid = Grid(low, high, CELLS[d], coordinates.periodic)
    p = histogram(s, grid)
    # Walkers are independent; of one alone the halves of its time.
    first = walker % 2 == 0 if len(np.unique(walker)) > 1 else np.arange(len(s)) < len(s) / 2
    halves = [histogram(s[rows], grid) for rows in (first, ~first)]
    floor = smallest_divergence(halves[0], halves[1], int((~first).sum()), grid)
    return Reference(grid, p, floor, len(s))


def histogram(s: np.ndarray, grid: Grid) -> np.ndarray:
    """Share of each cell [m] among points [n, d]."""
    counts = np.bincount(grid.flat(grid.index(s)), minlength=grid.cells ** len(grid.low))
    return np.asarray(counts / counts.sum())


def forward_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) = sum p log(p / q) of two distributions over cells, nats."""
    some = p > 0
    with np.errstate(divide="ignore"):
        return float(p[some] @ np.log(p[some] / q[some]))


def smallest_divergence(p: np.ndarray, share: np.ndarray, frames: int, grid: Grid) -> float:
    """KL(p || q) where q is a histogram made smooth in the way that suits it best, as no one could know beforehand.

    A histogram with an empty cell has an infinite divergence. So its counts are blurred by Gaussians of several widths,
    and fractions of a count added; the smallest divergence is taken. That favours what is compared with.

    Args:
        p: The reference.
        share: The histogram.
        frames: Points that it was made of.
        grid: Its cells.
    """
    from scipy.ndimage import gaussian_filter

    shape = (grid.cells,) * len(grid.low)
    counts, mode = share.reshape(shape) * frames, "wrap" if grid.periodic else "nearest"
    found = []
    for blur in _BLURS:
        smooth = gaussian_filter(counts, blur, mode=mode).ravel()
        for pseudo in _PSEUDO:
            q = smooth + pseudo
            found.append(forward_divergence(p, q / q.sum()))
    return min(found)


def populations(state: State, reference: Reference, *, periodic: bool) -> np.ndarray:
    """Probability of each cell of the reference [m] by the PMF of a round."""
    from scipy.ndimage import map_coordinates

    cells, d = reference.grid.cells, len(reference.grid.low)
    fine = Grid(reference.grid.low, reference.grid.high, cells * _INSIDE, periodic)
    size = round(len(state.free_energy) ** (1 / d))
    at = fine.centres
    where = (at - state.low) / (state.high - state.low) * size - 0.5
    mode = "grid-wrap" if periodic else "nearest"
    f = map_coordinates(state.free_energy.reshape((size,) * d), where.T, mode=mode)
    if not periodic:  # beyond its own grid a PMF says nothing but that no walker went there
        f = np.where(((at < state.low) | (at > state.high)).any(1), f.max(), f)
    mass = np.exp(-(f - f.min())).reshape([cells, _INSIDE] * d)
    q = mass.sum(axis=tuple(range(1, 2 * d, 2))).ravel()
    return np.asarray(q / q.sum())


def trace_of_rounds(rounds: Sequence[State], reference: Reference, *, periodic: bool) -> Trace:
    """The divergence of the PMF after each round that has one."""
    known = [state for state in rounds if len(state.free_energy)]
    values = [forward_divergence(reference.p, populations(state, reference, periodic=periodic)) for state in known]
    return Trace(np.array([state.spent for state in known]), np.array(values))


def trace_of_dynamics(folder: Path, system: System, coordinates: Coordinates, reference: Reference) -> Trace:
    """The divergence of plain dynamics at growing cost, each walker taken as a simulation by itself.

    Raises:
        StorageError: If the folder does not say what its frames cost.
    """
    s, walker = coarse_values(folder, system, coordinates)
    start, each = dynamics_cost(folder)
    runs = [s[walker == w] for w in np.unique(walker)]
    length = min(map(len, runs))
    kept = np.unique(np.geomspace(10, length, 25).astype(int)) if length > 10 else np.array([length])
    values = [
        [smallest_divergence(reference.p, histogram(run[:n], reference.grid), int(n), reference.grid) for run in runs]
        for n in kept
    ]
    return Trace(start + each * kept, np.array(values))


def dynamics_cost(folder: Path) -> tuple[int, int]:
    """Energies of one walker of a plain simulation before its first frame, and for each frame.

    Raises:
        StorageError: If it was not plain: replicas at other temperatures cost what its frames do not show.
    """
    import yaml

    content: dict[str, Any] = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    dynamics = content.get("dynamics") or {}
    if "timestep_fs" not in dynamics or dynamics.get("temperatures_K"):
        raise StorageError(
            f"{folder} is not a plain simulation with a time step.",
            fix="Make one: tbg simulate ... -s dynamics.temperatures_K=[] (or --dynamics vector-langevin on R^d).",
        )
    step_ps = dynamics["timestep_fs"] / _FS_PER_PS
    before = sum(dynamics.get(key) or 0.0 for key in ("heating_ps", "scramble_ps", "equilibration_ps"))
    return round(before / step_ps), max(1, round(dynamics["frame_interval_ps"] / step_ps))


def first_below(trace: Trace, level: float) -> float:
    """Energies from which on a trace stays below a divergence; infinite if it does not."""
    above = np.flatnonzero(trace.divergence >= level)
    after = 0 if not len(above) else above[-1] + 1
    return float(trace.energies[after]) if after < len(trace.energies) else np.inf
