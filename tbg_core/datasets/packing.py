"""The published form of a dataset: decorrelated frames as 16-bit integers, one file per system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.datasets.folder import MANIFEST, SCHEMA, read_manifest, simulation_frames
from tbg_core.datasets.positions import encode
from tbg_core.datasets.table import markdown
from tbg_core.ensemble.recorded_system import system_to_dict
from tbg_core.errors import StorageError
from tbg_core.pipeline.simulate import SYSTEM
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


def pack(folder: Path, out: Path, *, frames: int, skip: int, progress: Progress) -> Path:
    """Writes ``frames`` frames of each system of a dataset in ``folder`` to ``out``; returns ``out``.

    Frames are taken at equal distances from every walker. Positions are multiples of 1e-4 nm, so that each is off by
    at most half of that. ``convergence.md`` is a table of the whole simulations: time, round trips, populations.

    Args:
        folder: Folder of ``tbg datasets make``.
        out: Folder of the packed dataset; must be empty.
        frames: Frames per system.
        skip: Frames of each walker that are left out at its start.
        progress: Told of every system.

    Raises:
        StorageError: If a system of the split is missing or has fewer frames than asked for.
    """
    manifest = read_manifest(folder)
    if manifest["packed"]:
        raise StorageError(f"{folder} is packed already.", fix="Give a folder of `tbg datasets make`.")
    left = {name: entry["frames"] - skip * entry["walkers"] for name, entry in manifest["systems"].items()}
    short = [f"{name} {count}" for name, count in left.items() if count < frames]
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
            rows = spread_rows(source.walker, frames, skip)
            store.write(
                shard,
                {
                    "positions": encode(source.positions[rows], RESOLUTION_NM),
                    "walker": source.walker[rows].astype(np.uint16),
                },
            )
            records[name] = system_to_dict(source.system)
            published = {key: entry[key] for key in _PUBLISHED if key in entry}
            digest = sha256(store.path(shard))
            systems[name] = {"shard": shard, "key": entry["key"], "sha256": digest, **published, "frames": frames}
            bar.advance(1, note=name)
    write_json(out / SYSTEM, records)
    described: dict[str, Any] = {
        k: manifest[k] for k in ("dataset", "split", "training", "source", "energy", "target", "versions")
    }
    write_json(
        out / MANIFEST,
        {"schema": SCHEMA, "packed": True, "resolution_nm": RESOLUTION_NM, **described, "systems": systems},
    )
    write_text(out / TABLE, markdown(manifest))
    return out


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
