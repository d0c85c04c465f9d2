"""The published form of a dataset: decorrelated frames as 16-bit integers, one file per system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tbg_core.datasets.convergence import compared
from tbg_core.datasets.folder import MANIFEST, SCHEMA, read_manifest, run_folders, simulation_frames
from tbg_core.datasets.positions import encode
from tbg_core.datasets.table import markdown
from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import system_to_dict
from tbg_core.ensemble.weights import systematic_rows
from tbg_core.errors import StorageError
from tbg_core.pipeline.simulate import SYSTEM
from tbg_core.randomness import generator
from tbg_core.storage.atomic import sha256, write_json, write_text
from tbg_core.storage.folders import check_folder
from tbg_core.storage.shards import ShardStore

if TYPE_CHECKING:
    from tbg_core.pipeline.progress import Progress

RESOLUTION_NM: Final = 1e-4
TABLE: Final = "convergence.md"
_PUBLISHED: Final = (
    *("walkers", "ns", "round_trips", "acceptance", "statistical_inefficiency"),
    *("effective_frames", "populations", "split_half", "drift", "cis"),
)


class _Frames(NamedTuple):
    """What is published of a system: positions [n, N, 3], nm, whose they are [n], and what the manifest says."""

    positions: np.ndarray
    walker: np.ndarray
    about: dict[str, Any]


def pack(folder: Path, out: Path, *, frames: int, skip: int, samples: Path | None = None, progress: Progress) -> Path:
    """Writes frames of each system of a dataset in ``folder`` to ``out``; returns ``out``.

    Frames are taken at equal distances from every walker of the simulation. With ``samples`` they are drawn by weight
    from a model's samples of the same distribution instead, which are independent of each other, wherever the weights
    can be trusted; the simulation is then what they are compared with. Positions are multiples of 1e-4 nm, so that
    each is off by at most half of that. ``convergence.md`` is a table of the whole simulations: time, round trips,
    populations.

    Args:
        folder: Folder of ``tbg datasets make``.
        out: Folder of the packed dataset; must be empty.
        frames: Frames per system.
        skip: Frames of each walker that are left out at its start.
        samples: Folder with a run of ``tbg sample`` per system, by name, or with several in a folder of that name.
        progress: Told of every system.

    Raises:
        StorageError: If a system of the split is missing, or has fewer frames than asked for and no samples.
    """
    manifest = read_manifest(folder)
    if manifest["packed"]:
        raise StorageError(f"{folder} is packed already.", fix="Give a folder of `tbg datasets make`.")
    left = {name: entry["frames"] - skip * entry["walkers"] for name, entry in manifest["systems"].items()}
    short = [f"{name} {count}" for name, count in left.items() if count < frames]
    if samples is not None:
        short = [name for name in left if not run_folders(samples / name)]
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
    check_folder(out, resume=False)
    store, systems, records = ShardStore(out), {}, {}
    with progress.stage("pack", total=len(manifest["systems"]), unit="systems") as bar:
        for shard, (name, entry) in enumerate(manifest["systems"].items()):
            source = simulation_frames(Path(folder) / name)
            found = None if samples is None else _of_samples(samples / name, entry, frames)
            if found is None:
                rows = spread_rows(source.walker, min(frames, left[name]), skip)
                found = _Frames(source.positions[rows], source.walker[rows], {})
            arrays = {
                "positions": encode(found.positions, RESOLUTION_NM),
                "walker": found.walker.astype(np.uint16),
            }
            store.write(shard, arrays)
            records[name] = system_to_dict(source.system)
            published = {key: entry[key] for key in _PUBLISHED if key in entry}
            digest = sha256(store.path(shard))
            systems[name] = {
                "shard": shard,
                "key": entry["key"],
                "sha256": digest,
                **published,
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
    whole = {name: {**entry, **systems[name], "frames": entry["frames"]} for name, entry in manifest["systems"].items()}
    write_text(out / TABLE, markdown({**manifest, "systems": whole}))
    return out


def _of_samples(folder: Path, entry: dict[str, Any], frames: int) -> _Frames | None:
    """Frames drawn by weight; None if the weights cannot be trusted. Copies of one draw count as one walker."""
    ensemble = Ensemble.concatenate([Ensemble.load(run) for run in run_folders(folder)])
    if ensemble.system.key != entry["key"]:
        raise StorageError(
            f"{folder} holds samples of another system.", fix="One run per system, named as in the split."
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
    return _Frames(ensemble.positions[rows], walker, about)


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
