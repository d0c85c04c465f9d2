"""The published form of a dataset: decorrelated frames as 16-bit integers, one file per system."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tbg_core.datasets.convergence import compared
from tbg_core.datasets.folder import (
    MANIFEST,
    SCHEMA,
    origin,
    packed_frames,
    read_manifest,
    run_folders,
    simulation_frames,
)
from tbg_core.datasets.positions import encode
from tbg_core.datasets.table import markdown
from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import system_to_dict
from tbg_core.ensemble.weights import systematic_rows
from tbg_core.errors import StorageError
from tbg_core.pipeline.folder import target_difference
from tbg_core.pipeline.simulate import SYSTEM
from tbg_core.randomness import generator
from tbg_core.storage.atomic import sha256, write_json, write_text
from tbg_core.storage.folders import check_folder
from tbg_core.storage.shards import ShardStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tbg_core.contracts.system import System
    from tbg_core.pipeline.progress import Progress

RESOLUTION_NM: Final = 1e-4
FRAMES: Final = 1600
"""Of each system, by default."""
TABLE: Final = "convergence.md"
_PUBLISHED: Final = (
    *("walkers", "ns", "round_trips", "acceptance", "statistical_inefficiency"),
    *("effective_frames", "populations", "split_half", "drift", "cis"),
)
_DRAWN: Final = ("attempted", "ess", "pareto_k", "independent_frames", "against_simulation")


class _Frames(NamedTuple):
    """What is published of a system: positions [n, N, 3], int16, whose they are [n], and what the manifest says."""

    positions: np.ndarray
    walker: np.ndarray
    about: dict[str, Any]

    @property
    def independent(self) -> int:
        """How many of the frames are independent of each other; 0 where nothing but a simulation says so."""
        return int(self.about.get("independent_frames", 0))


def pack(
    folder: Path, out: Path, *, frames: int | None, skip: int, samples: Path | None = None, progress: Progress
) -> Path:
    """Writes frames of each system of a dataset in ``folder`` to ``out``; returns ``out``.

    Frames are taken at equal distances from every walker of the simulation. With ``samples`` they are drawn by weight
    from a model's samples of the same distribution instead, which are independent of each other, wherever the weights
    can be trusted; the simulation is then what they are compared with. A packed dataset can be packed again: its frames
    are kept but where ``samples`` give more that are independent. Positions are multiples of 1e-4 nm, so that
    each is off by at most half of that. ``convergence.md`` is a table of the whole simulations: time, round trips,
    populations.

    Args:
        folder: Folder of ``tbg datasets make``, or a packed dataset.
        out: Folder of the packed dataset; must be empty.
        frames: Frames per system; None: :data:`FRAMES`, or as many as a packed dataset has.
        skip: Frames of each walker of a simulation that are left out at its start.
        samples: Folder with a run of ``tbg sample`` per system, by name, or with several in a folder of that name;
            a packed dataset needs those of some systems only.
        progress: Told of every system.

    Raises:
        StorageError: If a system of the split is missing, or has fewer frames than asked for and no samples; or if
            samples are of another distribution.
    """
    manifest = read_manifest(folder)
    drawn = {} if samples is None else {name: run_folders(samples / name) for name in manifest["systems"]}
    earlier: Callable[[Path, dict[str, Any], str], tuple[System, _Frames]] = _published
    if manifest["packed"]:
        _check_some(folder, samples, drawn)
    else:
        frames = FRAMES if frames is None else frames
        _check_all(folder, manifest, frames, skip, samples, drawn)
        earlier = partial(_simulated, frames=frames, skip=skip)
    check_folder(out, resume=False)
    store, systems, records = ShardStore(out), {}, {}
    with progress.stage("pack", total=len(manifest["systems"]), unit="systems") as bar:
        for shard, (name, entry) in enumerate(manifest["systems"].items()):
            system, found = earlier(folder, manifest, name)
            if drawn.get(name):
                weighted = _of_samples(drawn[name], manifest, name, entry["frames"] if frames is None else frames)
                if weighted is not None and weighted.independent > found.independent:
                    found = weighted
            store.write(shard, {"positions": found.positions, "walker": found.walker.astype(np.uint16)})
            records[name] = system_to_dict(system)
            systems[name] = {
                "shard": shard,
                "key": entry["key"],
                "sha256": sha256(store.path(shard)),
                **{key: entry[key] for key in _PUBLISHED if key in entry},
                "frames": len(found.walker),
                **found.about,
            }
            bar.advance(1, note=name)
    write_json(out / SYSTEM, records)
    described: dict[str, Any] = {
        k: manifest[k] for k in ("dataset", "split", "training", "source", "energy", "target", "versions")
    }
    described |= {"schema": SCHEMA, "packed": True, "resolution_nm": RESOLUTION_NM, "systems": systems}
    write_json(out / MANIFEST, described)
    write_text(out / TABLE, markdown(described))
    return out


def _check_some(folder: Path, samples: Path | None, drawn: dict[str, list[Path]]) -> None:
    """A packed dataset changes by samples alone."""
    if samples is None:
        raise StorageError(
            f"{folder} is packed already.",
            fix="Give a folder of `tbg datasets make`, or samples to take better frames from.",
        )
    if not any(drawn.values()):
        raise StorageError(f"{samples} has no samples of any system of {folder}.", fix="Name folders as its systems.")


def _check_all(
    folder: Path,
    manifest: dict[str, Any],
    frames: int,
    skip: int,
    samples: Path | None,
    drawn: dict[str, list[Path]],
) -> None:
    """Of a dataset that is packed for the first time nothing may be missing."""
    left = {name: entry["frames"] - skip * entry["walkers"] for name, entry in manifest["systems"].items()}
    short = [f"{name} {count}" for name, count in left.items() if count < frames]
    if samples is not None:
        short = [name for name, runs in drawn.items() if not runs]
        if short:
            raise StorageError(
                f"{samples} has no samples of {len(short)} systems ({', '.join(short[:5])}).",
                fix="Draw them first, one run per system.",
            )
    if short or not left:
        raise StorageError(
            f"{len(short)} systems of {folder} have fewer than {frames} frames after {skip} of each walker "
            f"({', '.join(short[:5])}).",
            fix="Resume `tbg datasets make` with more --frames, or ask for fewer.",
        )


def _simulated(folder: Path, manifest: dict[str, Any], name: str, *, frames: int, skip: int) -> tuple[System, _Frames]:
    """Frames of the simulation of a system, as many as there are."""
    entry, source = manifest["systems"][name], simulation_frames(folder / name)
    rows = spread_rows(source.walker, min(frames, entry["frames"] - skip * entry["walkers"]), skip)
    return source.system, _Frames(encode(source.positions[rows], RESOLUTION_NM), source.walker[rows], {})


def _published(folder: Path, manifest: dict[str, Any], name: str) -> tuple[System, _Frames]:
    """Frames of a packed dataset as they are: rounding them twice would add to the error."""
    entry = manifest["systems"][name]
    stored = ShardStore(folder).read(entry["shard"], ["positions", "walker"])
    about = {key: entry[key] for key in _DRAWN if key in entry}
    return packed_frames(folder, name, manifest).system, _Frames(stored["positions"], stored["walker"], about)


def _of_samples(runs: list[Path], manifest: dict[str, Any], name: str, frames: int) -> _Frames | None:
    """Frames drawn by weight; None if the weights cannot be trusted. Copies of one draw count as one walker."""
    entry = manifest["systems"][name]
    ensemble = Ensemble.concatenate([Ensemble.load(run) for run in runs])
    if ensemble.system.key != entry["key"]:
        raise StorageError(
            f"{runs[0]} holds samples of another system than {name}.", fix="One run per system, named as in the split."
        )
    want = {"energy": manifest["energy"], **manifest["target"]}
    for run in runs:
        have = {k: v for k, v in origin(run).items() if v is not None} | {"temperature_K": ensemble.temperature_K}
        if (key := target_difference(have, want)) is not None:
            raise StorageError(
                f"the samples in {run} have {key} {have[key]}, the dataset {want[key]}.",
                fix="Draw samples of the distribution of the dataset.",
            )
    if not ensemble.reliability.reliable:
        return None
    offset = generator(0, ensemble.system.key, "pack").random()
    rows = systematic_rows(ensemble.log_weights, frames, offset)
    _, walker, copies = np.unique(rows, return_inverse=True, return_counts=True)
    independent = int(frames**2 / (copies**2).sum())
    about = {
        "attempted": len(ensemble),
        "ess": round(ensemble.ess, 1),
        "pareto_k": round(ensemble.pareto_k, 3),
        "independent_frames": min(independent, int(ensemble.ess)),
        "against_simulation": compared(ensemble, entry["populations"]),
    }
    return _Frames(encode(ensemble.positions[rows], RESOLUTION_NM), walker, about)


def spread_rows(walker: np.ndarray, count: int, skip: int = 0) -> np.ndarray:
    """``count`` rows at equal distances from each walker, as many of each as can be.

    Args:
        walker: Walker of each row [n], rows of a walker in time order.
        count: How many to take, at most what is left.
        skip: Rows of each walker that are left out at its start.
    """
    walkers = np.unique(walker)
    shares = [count * (i + 1) // len(walkers) - count * i // len(walkers) for i in range(len(walkers))]
    chosen = []
    for w, share in zip(walkers, shares, strict=True):
        rows = np.flatnonzero(walker == w)[skip:]
        # The last of each of `share` equal pieces: far from the start, and from each other.
        chosen.append(rows[(np.arange(1, share + 1) * len(rows)) // share - 1] if share else rows[:0])
    return np.concatenate(chosen)
