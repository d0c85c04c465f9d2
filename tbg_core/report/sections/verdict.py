"""The top of the page: what was run, and how far to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.molecule import Molecule
from tbg_core.report.numbers import ABSENT, count, duration, fixed, interval, percent, rounded
from tbg_core.report.page import Head

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData


def build(run: RunData) -> Head:
    """Head of the report of ``run``."""
    ensemble, verdict = run.ensemble, run.ensemble.reliability
    summary = ensemble.weight_summary
    largest = summary.largest[0] if summary.largest else 0.0
    log_z = ensemble.log_z
    seconds = sum(v for v in run.metrics.get("seconds", {}).values() if isinstance(v, (int, float)))
    tiles = (
        ("Effective samples", count(verdict.ess), f"{percent(ensemble.ess_fraction)} of those attempted"),
        ("Pareto k̂", fixed(verdict.pareto_k), _tail(verdict.pareto_k)),
        (
            "Valid",
            f"{int(ensemble.valid.sum()):,}",
            f"of {ensemble.attempted:,} attempted",
        ),
        ("Largest weight", percent(largest), "of the total weight in one sample"),
        (
            "log Z",
            rounded(log_z.value, log_z.error),
            f"90 %: {interval(log_z)}" if log_z.interval else "no interval",
        ),
        ("Wall time", duration(seconds) if seconds else ABSENT, "all stages"),
    )
    return Head(
        eyebrow="Boltzmann generator report",
        title=_title(run),
        subtitle=_subtitle(run),
        reliable=verdict.reliable,
        label=verdict.label,
        sentence=_sentence(run),
        advice=_advice(run),
        tiles=tiles,
    )


def _title(run: RunData) -> str:
    return str(run.metrics.get("system") or run.ensemble.system.name)


def _subtitle(run: RunData) -> str:
    system = run.ensemble.system
    parts = []
    if isinstance(system, Molecule):
        parts.append(f"{system.n_atoms} atoms")
    parts += [f"{key} {run.metrics[key]}" for key in ("model", "energy") if run.metrics.get(key)]
    parts.append(f"{run.ensemble.temperature_K:g} K")
    return " · ".join(parts)


def _tail(k: float) -> str:
    if k <= 0.5:
        return "weights have finite variance"
    if k <= 0.7:
        return "heavy tail, averages still usable"
    return "above 0.7: the tail is too heavy"


def _sentence(run: RunData) -> str:
    verdict = run.ensemble.reliability
    worth = (
        f"{verdict.attempted:,} attempted samples are worth {count(verdict.ess)} independent ones "
        f"(Pareto k̂ = {fixed(verdict.pareto_k)})"
    )
    if verdict.reliable:
        return f"{worth}: averages can be quoted with the intervals given below."
    return f"{worth}; {' and '.join(verdict.reasons)}. No intervals are given: averages may be far off."


def _advice(run: RunData) -> str:
    verdict = run.ensemble.reliability
    remarks = []
    if not verdict.reliable:
        remarks.append("Draw more samples, train the model longer, or choose a model nearer to this system.")
    elif verdict.pareto_k > 0.5:
        remarks.append("The weights have a heavy tail: averages converge more slowly than intervals suggest.")
    if verdict.biased:
        remarks.append("log q was estimated stochastically, which biases the weights.")
    return " ".join(remarks)
