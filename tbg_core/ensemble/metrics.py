"""What ``metrics.json`` and ``weights.csv`` hold."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.ensemble.validity import Validity
from tbg_core.ensemble.weights import log_mean_weight, normalised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.ensemble.ensemble import Ensemble


def metrics(
    ensemble: Ensemble,
    *,
    model: str | None = None,
    energy: str | None = None,
    energy_evaluations: int | None = None,
    seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Content of ``metrics.json``: numbers that are not finite become None, as JSON has none.

    Args:
        ensemble: What to describe.
        model: Name of the proposal; ``provenance["model"]`` by default, and so on for the others.
        energy: Name of the energy.
        energy_evaluations: Conformations whose energy was evaluated, in all stages.
        seconds: Wall-clock time per stage, s.
    """
    known = ensemble.provenance
    evaluations = known.get("energy_evaluations") if energy_evaluations is None else energy_evaluations
    summary, log_z = ensemble.weight_summary, ensemble.log_z
    valid = int(ensemble.valid.sum())
    content: dict[str, Any] = {
        "system": ensemble.system.name,
        "system_key": ensemble.system.key,
        "model": known.get("model") if model is None else model,
        "energy": known.get("energy") if energy is None else energy,
        "temperature_K": ensemble.temperature_K,
        "attempted": ensemble.attempted,
        "valid": valid,
        "dropped": ensemble.attempted - valid,
        "dropped_by_reason": dropped_by_reason(ensemble),
        "ess": ensemble.ess,
        "ess_fraction": ensemble.ess_fraction,
        "ess_without_largest_0.2_percent": summary.ess_trimmed,
        "pareto_k": ensemble.pareto_k,
        "largest_weight": summary.largest[0] if summary.largest else 0.0,
        "split_half_ess": list(summary.half_ess),
        "split_half_log_z": list(summary.half_log_z),
        **_lineage(ensemble),
        "sampler": known.get("sampler"),
        "log_z": log_z.value,
        "log_z_err": log_z.error,
        "log_q_err_median": float(np.median(ensemble.log_q_err[ensemble.valid])) if valid else None,
        "log_q_audit": known.get("log_q_audit"),
        "reliable": ensemble.reliability.reliable,
        "verdict": ensemble.reliability.describe(),
        "energy_evaluations": evaluations,
        "seconds": dict(known.get("seconds", {}) if seconds is None else seconds),
    }
    cleaned: dict[str, Any] = finite(content)
    return cleaned


def _lineage(ensemble: Ensemble) -> dict[str, Any]:
    """Populations, the draws that are left in them, and how far their estimates of log Z are spread."""
    if ensemble.populations is None or ensemble.population is None:
        return {}
    log_z = population_log_z(ensemble)
    return {
        "populations": len(log_z),
        "unique_ancestors": len(ensemble.ancestor_log_weights),
        "population_log_z_std": float(np.std(log_z, ddof=1)) if len(log_z) > 1 else None,
    }


def population_log_z(ensemble: Ensemble) -> np.ndarray:
    """log of the mean weight of each population, in their order; all rows are one where there is none."""
    label = np.zeros(len(ensemble)) if ensemble.population is None else ensemble.population
    rows = [np.flatnonzero(label == one) for one in np.unique(label)]
    return np.array([log_mean_weight(ensemble.log_weights[part]) for part in rows])


def dropped_by_reason(ensemble: Ensemble) -> dict[str, int]:
    """How many attempted samples were dropped, by the name of the :class:`Validity` in lower case."""
    counts = {code: int(np.sum(ensemble.status[~ensemble.valid] == code)) for code in Validity}
    return {code.name.lower(): count for code, count in counts.items() if count}


def weights_csv(ensemble: Ensemble) -> str:
    """One line per attempted sample: index, log q, u, log w, normalised weight, validity."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    numeric = ["log_q", "log_q_err", "reduced_energy", "log_weight", "weight"]
    writer.writerow(["index", *numeric, "valid", "status"])
    w = normalised(ensemble.log_weights)
    columns = (
        ensemble.log_q,
        ensemble.log_q_err,
        ensemble.reduced_energy,
        ensemble.log_weights,
        w,
    )
    for i in range(len(ensemble)):
        numbers = [repr(float(column[i])) for column in columns]
        status = int(ensemble.status[i])
        writer.writerow([i, *numbers, int(ensemble.valid[i]), Validity(status).name.lower()])
    return text.getvalue()


def finite(value: Any) -> Any:
    """The value with None for every number that is not finite, as JSON has none."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
