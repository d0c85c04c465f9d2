"""An ensemble on disk: shards of rows, the system, and where it came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.ensemble.recorded_system import system_from_dict, system_to_dict
from tbg_core.errors import StorageError
from tbg_core.storage.atomic import read_json, write_json
from tbg_core.storage.shards import MANIFEST, ShardStore

if TYPE_CHECKING:
    from tbg_core.contracts.system import System
    from tbg_core.ensemble.ensemble import Ensemble

SHARDS, SYSTEM, PROVENANCE = "ensemble", "system.json", "provenance.json"

_COLUMNS: Final = {
    "positions": np.float32,
    "log_q": np.float64,
    "reduced_energy": np.float64,
    "valid": np.bool_,
    "log_q_err": np.float64,
    "status": np.int64,
    "temperature_K": np.float64,
}
_OPTIONAL: Final = {
    "base_log_weights": np.float64,
    "parent": np.int64,
    "population": np.int64,
    "mirrored": np.bool_,
}
ROW_NUMBERS: Final = ("parent", "population")
"""Columns that number the rows of their own block; joining blocks shifts them."""


def to_arrays(ensemble: Ensemble) -> dict[str, np.ndarray]:
    """The columns of an ensemble, one row per attempted sample: what a shard holds."""
    names = _COLUMNS | _OPTIONAL
    columns = {name: getattr(ensemble, name) for name in names}
    columns["temperature_K"] = np.full(len(ensemble), ensemble.temperature_K)
    return {name: np.asarray(c, dtype=names[name]) for name, c in columns.items() if c is not None}


def from_arrays(system: System, arrays: dict[str, np.ndarray], provenance: dict[str, Any] | None = None) -> Ensemble:
    """The ensemble of the columns that :func:`to_arrays` gives.

    Raises:
        StorageError: If a column is missing, has no rows, or the rows are of several temperatures.
    """
    from tbg_core.ensemble.ensemble import Ensemble

    missing = _COLUMNS.keys() - arrays.keys()
    if missing:
        raise StorageError(f"the shards of {system.name} lack {', '.join(sorted(missing))}.")
    temperatures = np.unique(arrays["temperature_K"])
    if len(temperatures) != 1:
        raise StorageError(f"the shards of {system.name} hold {len(temperatures)} temperatures, not one.")
    columns: dict[str, Any] = {n: arrays[n] for n in (_COLUMNS | _OPTIONAL) if n in arrays and n != "temperature_K"}
    return Ensemble(system=system, temperature_K=float(temperatures[0]), provenance=provenance or {}, **columns)


def record(folder: Path, system: System) -> None:
    """Writes ``system.json``: what the shards beside it are samples of."""
    write_json(Path(folder) / SYSTEM, system_to_dict(system))


def save(ensemble: Ensemble, folder: Path) -> None:
    """Writes an ensemble as one shard.

    Raises:
        StorageError: If the folder already holds an ensemble or cannot be written.
    """
    folder = Path(folder)
    store = ShardStore(folder / SHARDS)
    if store.indices:
        raise StorageError(f"{folder} already holds an ensemble.", fix="Choose another folder.")
    record(folder, ensemble.system)
    write_json(folder / PROVENANCE, ensemble.provenance)
    store.write(0, to_arrays(ensemble))
    store.seal(rows=len(ensemble))


def recorded_system(folder: Path) -> System:
    """The system that the samples of a run folder are of.

    Raises:
        StorageError: If the folder holds no ensemble.
    """
    path = Path(folder) / SYSTEM
    if not path.is_file():
        raise StorageError(
            f"{folder} holds no ensemble: it has no {SYSTEM}.", fix="Give the folder that `tbg run` wrote."
        )
    return system_from_dict(read_json(path))


def load(folder: Path, system: System | None = None) -> Ensemble:
    """Reads the ensemble of a run folder; shards that a manifest names are compared with it first.

    Args:
        folder: A folder that ``tbg run`` or :meth:`Ensemble.save` wrote.
        system: The system itself, where more is wanted of it than was recorded.

    Raises:
        StorageError: If a file is missing, altered, or was made for another system.
    """
    folder = Path(folder)
    recorded = recorded_system(folder)
    if system is not None and system.key != recorded.key:
        raise StorageError(f"{folder} holds samples of {recorded.name}, not of {system.name}.")
    store = ShardStore(folder / SHARDS)
    if (store.folder / MANIFEST).is_file():
        store.verify()
    arrays = store.concatenate(row_numbers=ROW_NUMBERS)
    provenance = read_json(folder / PROVENANCE) if (folder / PROVENANCE).is_file() else {}
    return replace(from_arrays(recorded if system is None else system, arrays, provenance), folder=folder)
