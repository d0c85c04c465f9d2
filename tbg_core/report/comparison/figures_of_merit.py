"""What each run achieved, side by side, and whether log Z agrees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tbg_core.report.blocks import Block, Note, Paragraph, Section, Table
from tbg_core.report.comparison.runs import share_draws, target_differences
from tbg_core.report.numbers import ABSENT, count, duration, fixed, interval, percent, rounded
from tbg_core.report.run_data import energy_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.report.comparison.runs import Compared


def section(runs: Sequence[Compared]) -> Section:
    """A column per run."""
    columns = [_column(run) for run in runs]
    rows = tuple((name, *(column.get(name, ABSENT) for column in columns)) for name in columns[0])
    best = frozenset(i for i, row in enumerate(rows) if row[0].startswith(("verdict", "ESS", "log Z")))
    table = Table(("", *(run.name for run in runs)), rows, "Figures of merit.", marked=best)
    return Section("merit", "Side by side", (table,), order=100)


def _column(run: Compared) -> dict[str, str]:
    ensemble, metrics = run.data.ensemble, run.data.metrics
    verdict = ensemble.reliability
    seconds = {k: float(v) for k, v in (metrics.get("seconds") or {}).items() if isinstance(v, (int, float))}
    sampling, evaluations = seconds.get("sample"), metrics.get("energy_evaluations")
    unit, _ = energy_scale(run.data)
    energy = ensemble.mean_energy(unit=unit)
    largest = ensemble.weight_summary.largest
    return {
        "verdict": verdict.label,
        "model": str(metrics.get("model") or ABSENT),
        "energy": str(metrics.get("energy") or ABSENT),
        "temperature": f"{ensemble.temperature_K:g} K",
        "attempted": f"{ensemble.attempted:,}",
        "valid": f"{int(ensemble.valid.sum()):,} ({percent(float(ensemble.valid.mean()))})",
        "ESS": f"{count(verdict.ess)} ({percent(ensemble.ess_fraction)})",
        "Pareto k̂": fixed(verdict.pareto_k),
        "largest weight": percent(largest[0]) if largest else ABSENT,
        "log Z": rounded(ensemble.log_z.value, ensemble.log_z.error),
        "log Z, 90 % interval": interval(ensemble.log_z),
        f"mean energy / {unit}": rounded(energy.value, energy.error),
        "mean energy, 90 % interval": interval(energy),
        "sampling time": duration(sampling) if sampling else ABSENT,
        "ESS per second of sampling": f"{verdict.ess / sampling:.3g}" if sampling else ABSENT,
        "energy evaluations": f"{evaluations:,}" if evaluations else ABSENT,
        "evaluations per effective sample": f"{evaluations / verdict.ess:,.1f}"
        if evaluations and verdict.ess
        else ABSENT,
        "wall time, all stages": duration(sum(seconds.values())) if seconds else ABSENT,
    }


def chance(z: float) -> float:
    """Probability that a standard normal number is at least as far from zero as z."""
    return math.erfc(abs(z) / math.sqrt(2.0))


def agreement(p: float) -> str:
    """In a word what a significance means."""
    return "agree" if p > 0.05 else "in doubt" if p > 0.003 else "disagree"


def log_z_section(runs: Sequence[Compared]) -> Section:
    """Differences of log Z from the first run, with error and significance."""
    blocks: list[Block] = []
    different = target_differences(runs)
    if different:
        blocks.append(
            Note(
                f"The targets differ in {', '.join(different)}. Their log Z, averages and profiles are those of "
                "different distributions and need not agree."
            )
        )
    else:
        blocks.append(
            Paragraph(
                "All runs have the same target. Densities have units, so that log Z of one system must agree, whatever "
                "the model, within the errors. A disagreement is an error of log q or a state that one proposal misses."
            )
        )
    first, rows = runs[0], []
    dependent = False
    for run in runs[1:]:
        a, b = first.data.ensemble.log_z, run.data.ensemble.log_z
        shared = share_draws(first.data, run.data)
        dependent |= shared
        name = f"{run.name} less {first.name}"
        gap, error = b.value - a.value, math.hypot(a.error, b.error)
        if not (a.reliable and b.reliable) or shared or not error > 0.0:
            why = "same samples" if shared else "not reliable"
            rows.append((name, rounded(gap, error), ABSENT, ABSENT, why))
            continue
        z = gap / error
        p = chance(z)
        verdict = "expected" if different else agreement(p)
        rows.append(
            (name, rounded(gap, error), f"{error:.2g}", f"{z:+.1f} σ".replace("-", "−"), f"{verdict}, p = {p:.2g}")
        )
    caption = "Error: both standard errors combined. p: chance of a difference as large if log Z were the same."
    if dependent:
        caption += " Runs with the same samples have errors in common; no significance is given for them."
    columns = ("Difference of log Z", "value", "± error", "significance", "")
    blocks.append(Table(columns, tuple(rows), caption))
    return Section("log-z", "log Z", tuple(blocks), order=200)
