"""What a finished job says: the figures of ``metrics.json``, and what the report draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.contracts.system import Euclidean
from tbg_core.observables.parse import parse_observable
from tbg_core.storage.atomic import read_json
from tbg_core.storage.shards import ShardStore
from tbg_paths.chains import make_moves
from tbg_paths.committor import Committor
from tbg_paths.config import PathSettings, elementary
from tbg_paths.grid import GridPaths
from tbg_paths.measures import MIXED, Ensemble, centre, effective_size, least_effective, over_chains, r_hat
from tbg_paths.regions import Region, parse_region, shown
from tbg_paths.run import CHAINS, COMMITTOR, MAP, seconds_of, stored_paths

if TYPE_CHECKING:
    from pathlib import Path

    from tbg_core.contracts.energy import Target
    from tbg_core.observables.observable import Observable

_LARGEST_GRID = 4500
_SPACING = {1: 0.05, 2: 0.7}
"""Spacing of the nodes of a grid in standard deviations of a step: the edges of A and B need more than the density."""


@dataclass(frozen=True)
class Counts:
    """What the production of a set of moves did, from its shards.

    Attributes:
        acceptance: Mean over chains and moves.
        by_move: Elementary move -> acceptance, and of latent ones: scale -> (step, None where it has none, acceptance).
        energies: Energies with gradient.
        mapped: Frames carried to latent space or back.
        seconds: CPU seconds, burn-in included.
        moves: Moves of each chain.
    """

    acceptance: float
    by_move: dict[str, Any]
    energies: int
    mapped: int
    seconds: float
    moves: int

    @classmethod
    def of(cls, out: Path, name: str, settings: PathSettings) -> Counts:
        """From the folder of a job."""
        store, keys = ShardStore(out / CHAINS / name), ["move", "scale", "accepted", "energies", "mapped_frames"]
        shards = [store.read(i, [*keys, "burn_in", "steps.log"]) for i in store.indices]
        shards = [shard for shard in shards if not shard["burn_in"].any()]
        move, scale, accepted, energies, mapped = (np.concatenate([s[key] for s in shards]) for key in keys)
        by_move: dict[str, Any] = {}
        for i, elementary_move in enumerate(make_moves(elementary(name), settings)):
            entry: dict[str, Any] = {"acceptance": _mean(accepted[move == i]), "moves": int((move == i).sum())}
            if elementary_move.latent:
                step = np.exp(shards[-1]["steps.log"][i])
                entry["scales"] = [
                    {
                        "frames": length,
                        "step": float(step[k]) if elementary_move.first_step else None,
                        "acceptance": _mean(accepted[(move == i) & (scale == k)]),
                    }
                    for k, length in enumerate(elementary_move.scales)
                ]
            by_move[elementary_move.name] = entry
        seconds = seconds_of(out, name)
        return cls(_mean(accepted), by_move, int(energies.sum()), int(mapped.sum()), seconds, len(move))


@dataclass(frozen=True)
class Analysis:
    """A finished job.

    Attributes:
        settings: Of the job.
        start: A.
        end: B.
        cvs: The observables of the plane, angles in degrees.
        ensembles: Stored paths by set of moves.
        counts: What each did.
        committor: Outcomes of trajectories; None where there are none.
        committor_cvs: Values of the observables at their states [n, 2].
        maps: Of sets with latent moves: what :func:`tbg_paths.mapping.map_errors` found.
        exact: Exact results for toys in one or two dimensions with overdamped dynamics; None otherwise.
        exact_committor: Of the states of ``committor`` where it is known exactly [n].
    """

    settings: PathSettings
    start: Region
    end: Region
    cvs: tuple[Observable, Observable]
    ensembles: dict[str, Ensemble]
    counts: dict[str, Counts]
    committor: Committor | None
    committor_cvs: np.ndarray
    maps: dict[str, dict[str, Any]]
    exact: GridPaths | None
    exact_committor: np.ndarray | None

    def metrics(self, seed: int) -> dict[str, Any]:
        """The figures, as plain data."""
        return {
            "from": self.start.text,
            "to": self.end.text,
            "dynamics": self.settings.dynamics,
            "frames": self.settings.frames,
            "timestep": self.settings.timestep,
            "chains": self.settings.chains,
            "moves": {name: self._of(name, seed) for name in self.ensembles},
            "exact_mean_transition_time": self._exact_time(),
            "committor": self._committor(),
        }

    def _exact_time(self) -> float | None:
        if self.exact is None or self.exact.nodes.shape[1] > 1:
            return None
        leaves, arrives = np.indices((self.settings.frames, self.settings.frames))
        passages = self.exact.passages(self.settings.frames)
        return float((passages * (arrives - leaves)).sum() * self.settings.timestep)

    def _of(self, name: str, seed: int) -> dict[str, Any]:
        ensemble, counts = self.ensembles[name], self.counts[name]
        measures = ensemble.measures()
        paths, slowest = least_effective(measures)
        chains = len(ensemble.cvs)
        without = (
            [effective_size(np.delete(measures[slowest], i, axis=0)) * chains / (chains - 1) for i in range(chains)]
            if slowest in measures
            else [0.0]
        )
        error = float(np.sqrt((chains - 1) * np.var(without)))
        time, time_error = over_chains(_grand_mean, measures["transition time"] * self.settings.timestep, seed=seed)
        per = 1000.0 / max(counts.energies, 1)
        return {
            "acceptance": counts.acceptance,
            **self.maps.get(name, {}),
            "by_move": counts.by_move,
            "moves_per_chain": counts.moves,
            "paths_stored": int(np.prod(ensemble.cvs.shape[:2])),
            "effective_paths": paths,
            "effective_paths_err": error,
            "r_hat": max((r_hat(values) for values in measures.values() if np.ptp(values) > 0), default=float("nan")),
            "mixed": paths >= MIXED * chains,
            "slowest_measure": slowest,
            "energy_evaluations": counts.energies,
            "frames_mapped": counts.mapped,
            "effective_paths_per_1000_energies": paths * per,
            "effective_paths_per_1000_energies_err": error * per,
            "cpu_seconds": counts.seconds,
            "mean_transition_time": float(time),
            "mean_transition_time_err": float(time_error),
        }

    def _committor(self) -> dict[str, Any] | None:
        if self.committor is None:
            return None
        entry: dict[str, Any] = {
            "frames": len(self.committor.value),
            "at_half": int(self.committor.at_half.sum()),
            "undecided": int(np.isnan(self.committor.value).sum()),
            "energy_evaluations": self.committor.energies,
        }
        half = self.committor_cvs[self.committor.at_half]
        if len(half) > 1:
            names = zip(self.settings.cvs, self.cvs, half.T, strict=True)
            found = {name: centre(values, cv.period) for name, cv, values in names}
            entry["transition_states"] = {
                name: {"mean": mean, "spread": spread} for name, (mean, spread) in found.items()
            }
        if self.exact_committor is not None:
            known = np.isfinite(self.committor.value)
            q, shots = self.exact_committor[known], self.settings.committor_shots
            off = self.committor.value[known] - q
            entry["rms_deviation_from_exact"] = float(np.sqrt(np.mean(off**2)))
            entry["rms_expected_of_binomial"] = float(np.sqrt(np.mean(q * (1 - q)) / shots))
        return entry


def analyse(out: Path, settings: PathSettings, target: Target) -> Analysis:
    """Reads a finished job."""
    system = target.system
    start, end = (parse_region(text, system) for text in (settings.start, settings.end))
    first, second = (shown(parse_observable(text, system)) for text in settings.cvs)
    paths = {name: stored_paths(out, name) for name in settings.moves}
    ensembles = {name: Ensemble.of(found, (first, second), start, end) for name, found in paths.items()}
    store = ShardStore(out / COMMITTOR)
    parts = [store.read(i) for i in store.indices]
    committor = Committor.joined(parts) if parts else None
    states = np.concatenate([part["states"] for part in parts]) if parts else np.zeros((0, *system.space.event_shape))
    exact = _grid(target, settings, start, end, paths) if isinstance(system.space, Euclidean) else None
    return Analysis(
        settings,
        start,
        end,
        (first, second),
        ensembles,
        {name: Counts.of(out, name, settings) for name in paths},
        committor,
        np.stack([first(states), second(states)], axis=1) if parts else np.zeros((0, 2)),
        {name: read_json(path) for name in paths if (path := out / MAP / f"{name}.json").is_file()},
        exact,
        exact.at(states, exact.committor()) if exact is not None and parts else None,
    )


def _grid(
    target: Target, settings: PathSettings, start: Region, end: Region, paths: dict[str, np.ndarray]
) -> GridPaths | None:
    """The exact ensemble, where a grid of a few thousand nodes resolves it."""
    dim, step = target.system.space.dim, float(np.sqrt(2 * settings.timestep / settings.friction))
    if settings.dynamics != "overdamped" or dim > 2:
        return None
    flat = np.concatenate([found.reshape(-1, dim) for found in paths.values()])
    low, high = flat.min(axis=0) - 3 * step, flat.max(axis=0) + 3 * step
    axes = [
        np.linspace(a, b, int(np.ceil((b - a) / (_SPACING[dim] * step))) + 1) for a, b in zip(low, high, strict=True)
    ]
    if np.prod([len(axis) for axis in axes]) > _LARGEST_GRID:
        return None
    return GridPaths(target, start, end, settings.timestep / settings.friction, *axes)


def _grand_mean(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.mean())


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
