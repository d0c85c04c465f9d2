"""Folders of frames that a model can be trained on: simulations, datasets of them, and weighted samples of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.datasets.positions import Positions
from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.files import SHARDS
from tbg_core.ensemble.recorded_system import system_from_dict
from tbg_core.errors import StorageError
from tbg_core.pipeline.folder import read_provenance
from tbg_core.pipeline.simulate import FRAMES, SYSTEM
from tbg_core.storage.atomic import read_json
from tbg_core.storage.shards import ShardStore
from tbg_core.training.data import Frames

if TYPE_CHECKING:
    from collections.abc import Iterable

MANIFEST: Final = "dataset.json"
SCHEMA: Final = 1


def load_data(folder: Path, systems: Iterable[str] | None = None, *, training: bool = False) -> list[Frames]:
    """Frames of one or many systems, their positions memory-mapped.

    Args:
        folder: What ``tbg simulate``, ``tbg datasets make`` or ``tbg datasets pack`` wrote; or a run of ``tbg sample``,
            or a folder of such runs, whose samples are drawn by their weights.
        systems: Only these systems of a dataset, by name.
        training: They are to be trained on: a split that is held out is refused.

    Raises:
        StorageError: If the folder holds no frames, lacks one of the systems, or is held out.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        runs = run_folders(folder)
        return [run_frames(run) for run in runs] if runs else [simulation_frames(folder)]
    manifest = read_manifest(folder)
    if training and not manifest["training"]:
        raise StorageError(
            f"{folder} holds the split {manifest['split']!r} of {manifest['dataset']}, which is held out.",
            fix="Train on another split: what was trained on cannot test a model.",
        )
    names = list(manifest["systems"]) if systems is None else list(systems)
    missing = [name for name in names if name not in manifest["systems"]]
    if missing:
        raise StorageError(
            f"{folder} has no frames of {', '.join(missing[:5])}.",
            fix=f"It has {', '.join(list(manifest['systems'])[:10])}, ...",
        )
    if not names:
        raise StorageError(f"{folder} holds no finished system yet.", fix="Let `tbg datasets make` finish one.")
    if manifest["packed"]:
        return [packed_frames(folder, name, manifest) for name in names]
    return [simulation_frames(folder / name) for name in names]


def origin(folder: Path) -> dict[str, Any]:
    """What frames are of: the name of the energy, and what its target says of itself."""
    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        source = read_manifest(folder)
    else:
        source = read_provenance(next(iter(run_folders(folder)), folder))
    return {"energy": source.get("energy"), **source.get("target", {})}


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a dataset says of itself: its name, split, settings, and each system's hash and convergence.

    Raises:
        StorageError: If the folder holds no dataset, or one of another schema.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise StorageError(f"{folder} holds no dataset (no {MANIFEST}).", fix="Give a folder of `tbg datasets make`.")
    manifest: dict[str, Any] = read_json(path)
    if manifest.get("schema") != SCHEMA:
        raise StorageError(f"{path} has schema {manifest.get('schema')!r}; this version reads {SCHEMA}.")
    return manifest


def simulation_frames(folder: Path) -> Frames:
    """Frames of a simulation folder, memory-mapped.

    Raises:
        StorageError: If the folder holds none.
    """
    store = ShardStore(folder / FRAMES)
    if not store.indices:
        raise StorageError(f"{folder} holds no frames.", fix="Give a folder of `tbg simulate` or `tbg datasets make`.")
    system = system_from_dict(read_json(folder / SYSTEM))
    walker = np.concatenate([store.read(i, ["walker"])["walker"] for i in store.indices])
    positions = Positions([store.memory_map(i, "positions") for i in store.indices])
    return Frames(system, positions, walker)


def run_frames(folder: Path) -> Frames:
    """Samples of a model as training data, each drawn in proportion to its importance weight: self-improvement.

    Weights are truncated at sqrt(n) times their mean (Ionides 2008): a single draw in a region that the model
    all but misses would else be learned by heart.

    Raises:
        StorageError: If the run has no valid sample.
    """
    ensemble = Ensemble.load(folder)
    kept = np.flatnonzero(ensemble.valid)
    if len(kept) == 0:
        raise StorageError(f"{folder} holds no valid samples.", fix="Train on simulated frames first.")
    w = ensemble.relative_weights
    w = np.minimum(w, np.sqrt(len(w)) * w.mean())[kept]
    # Draws are independent: each is a walker of its own.
    return Frames(ensemble.system, ensemble.positions[kept], np.arange(len(kept)), w / w.sum())


def run_folders(folder: Path) -> list[Path]:
    """The run that a folder is, or those that lie in it or in its folders (as ``tbg bench dipeptides`` writes them)."""
    if (folder / SHARDS).is_dir():
        return [folder]
    return sorted(path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/{SHARDS}"))


def packed_frames(folder: Path, name: str, manifest: dict[str, Any]) -> Frames:
    """Frames of one system of a packed dataset, memory-mapped."""
    store = ShardStore(folder)
    entry = manifest["systems"][name]
    system = system_from_dict(read_json(folder / SYSTEM)[name])
    positions = Positions([store.memory_map(entry["shard"], "positions")], manifest["resolution_nm"])
    return Frames(system, positions, store.read(entry["shard"], ["walker"])["walker"].astype(np.int64))
