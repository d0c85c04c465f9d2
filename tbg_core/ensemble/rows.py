"""Ensembles made of the rows of others: for another target, filtered, resampled, joined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.ensemble.files import ROW_NUMBERS, to_arrays
from tbg_core.ensemble.validity import Validity
from tbg_core.ensemble.weights import systematic_rows
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.ensemble.ensemble import Ensemble


def for_target(ensemble: Ensemble, reduced_energy: np.ndarray, temperature_K: float) -> Ensemble:
    """The same draws weighted for another target; see :meth:`Ensemble.with_energy`."""
    finite = np.isfinite(reduced_energy)
    base = ensemble.base_log_weights
    if base is None:
        candidates = ensemble.valid | (ensemble.status == Validity.NONFINITE_ENERGY)
    else:
        # Accumulated weights stand for the former target, so a row without its energy cannot be moved.
        candidates = ensemble.valid
        moved = candidates & finite
        base = base.copy()
        base[moved] += ensemble.reduced_energy[moved] - reduced_energy[moved]
    outcome = np.where(finite, int(Validity.OK), int(Validity.NONFINITE_ENERGY))
    return replace(
        ensemble,
        reduced_energy=reduced_energy,
        temperature_K=temperature_K,
        valid=candidates & finite,
        status=np.where(candidates, outcome, ensemble.status),
        base_log_weights=base,
    )


def filtered(ensemble: Ensemble, keep: np.ndarray, reason: str) -> Ensemble:
    """Rows taken out of every average but not out of the count; see :meth:`Ensemble.filter`."""
    if keep.shape != (len(ensemble),):
        raise ValueError(f"keep has shape {keep.shape}, expected ({len(ensemble)},)")
    dropped = ensemble.valid & ~keep
    record = {"reason": reason, "dropped": int(dropped.sum())}
    filters = [*ensemble.provenance.get("filters", []), record]
    return replace(
        ensemble,
        valid=ensemble.valid & keep,
        status=np.where(dropped, int(Validity.FILTERED), ensemble.status),
        provenance={**ensemble.provenance, "filters": filters},
    )


def resampled(ensemble: Ensemble, seed: int, n: int | None) -> Ensemble:
    """Rows drawn by weight; see :meth:`Ensemble.resample`."""
    n = max(1, round(ensemble.ess)) if n is None else n
    if n < 1 or not ensemble.valid.any():
        raise ValueError(f"cannot draw {n} rows from {int(ensemble.valid.sum())} valid samples")
    offset = generator(seed, ensemble.system.key, "resample").random()
    rows = systematic_rows(ensemble.log_weights, n, offset)
    verdict, log_z = ensemble.reliability, ensemble.log_z
    source = {
        "attempted": verdict.attempted,
        "populations": verdict.populations,
        "ess": verdict.ess,
        "pareto_k": verdict.pareto_k,
        "log_z": log_z.value,
        "log_z_err": log_z.error,
    }
    columns = _columns(ensemble, rows)
    columns["base_log_weights"] = np.full(n, log_z.value)
    columns["parent"] = rows if ensemble.parent is None else ensemble.parent[rows]
    return replace(ensemble, **columns, provenance={**ensemble.provenance, "resampled_from": source})


def joined(parts: Sequence[Ensemble]) -> Ensemble:
    """Blocks of one run as one ensemble; see :meth:`Ensemble.concatenate`."""
    first = parts[0]
    if any(p.system.key != first.system.key or p.temperature_K != first.temperature_K for p in parts):
        raise ValueError("only ensembles of one system at one temperature can be joined")
    blocks = [to_arrays(part) for part in parts]
    if any(block.keys() != blocks[0].keys() for block in blocks):
        raise ValueError("only ensembles with the same columns can be joined")
    start = 0
    for block in blocks:
        for name in block.keys() & set(ROW_NUMBERS):
            block[name] = block[name] + start
        start += len(block["log_q"])
    names = blocks[0].keys() - {"temperature_K"}
    columns: dict[str, Any] = {name: np.concatenate([block[name] for block in blocks]) for name in names}
    return replace(first, **columns)


def consecutive(ensemble: Ensemble, rows: slice) -> Ensemble:
    """Some rows as if no others had been attempted; see :meth:`Ensemble.__getitem__`."""
    return replace(ensemble, **_columns(ensemble, rows))


def _columns(ensemble: Ensemble, rows: np.ndarray | slice) -> dict[str, Any]:
    columns = to_arrays(ensemble)
    del columns["temperature_K"]
    return {name: column[rows] for name, column in columns.items()}
