"""The tables of a benchmark: the same rows in the terminal, in Markdown and on the page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tbg_core.benchmark.summary import (
    DISTANCES,
    ESS,
    ESS_TRIMMED,
    EVALUATIONS,
    MEASURES,
    SECONDS,
    VALID,
    distance,
    floor,
    over_runs,
    over_systems,
)
from tbg_core.metrics.yardstick import VARIANTS
from tbg_core.report.blocks import Table
from tbg_core.report.numbers import ABSENT, fixed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tbg_core.benchmark.published import Published
    from tbg_core.benchmark.summary import Measure

Entries = "Sequence[Mapping[str, Any]]"


def beside_published(entries: Sequence[Mapping[str, Any]], published: Sequence[Published], label: str) -> Table:
    """This model, with and without its largest weights, the reference, and what papers give for the same systems."""
    columns = ("", "ESS / %", *(_heading(key) for key in DISTANCES), "valid / %", "systems")
    valid = _mean(entries, VALID)
    count = str(len(entries))
    rows = [
        (f"{label}, proposal", ABSENT, *_distances(entries, "proposal"), valid, count),
        (f"{label}, reweighted", _mean(entries, ESS), *_distances(entries, "reweighted"), valid, count),
        (
            f"{label}, top 0.2 % removed",
            _mean(entries, ESS_TRIMMED),
            *_distances(entries, "trimmed"),
            valid,
            count,
        ),
    ]
    ours = len(rows)
    if any(entry["reference"] for entry in entries):
        halves = (_pm(*floor(entries, key)) for key in DISTANCES)
        with_reference = str(sum(bool(entry["reference"]) for entry in entries))
        rows.append(("halves of the reference MD", ABSENT, *halves, ABSENT, with_reference))
    for row in published:
        figures = (_plain(getattr(row, key)) for key in DISTANCES)
        ess = ABSENT if row.ess is None else _pm(100.0 * row.ess, 100.0 * (row.ess_std or math.nan), 1)
        share = ABSENT if row.valid is None else f"{100.0 * row.valid:.0f}"
        rows.append((row.model, ess, *figures, share, row.remark or ABSENT))
    return Table(
        columns, tuple(rows), "Means over the systems ± standard deviation over them.", marked=frozenset(range(1, ours))
    )


def over_all(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Every figure: mean, spread, how sure, median, worst."""
    rows = []
    for measure in MEASURES:
        found = over_systems(entries, measure)
        if found is None:
            continue
        f, digits = measure.factor, _digits(measure)
        name = f"{measure.label}{f', {measure.variant}' if measure.variant else ''}"
        name += f" / {measure.unit}" if measure.unit else ""
        note = f", {found.infinite} never visited a basin" if found.infinite else ""
        rows.append(
            (
                name,
                *(fixed(f * value, digits) for value in (found.mean, found.spread)),
                fixed(f * found.seeds, digits + 1) if math.isfinite(found.seeds) else ABSENT,
                fixed(f * found.median, digits),
                f"{fixed(f * found.worst, digits)} ({found.worst_system})",
                f"{found.systems}{note}",
            )
        )
    columns = ("", "mean", "± over systems", "± of the mean over seeds", "median", "worst", "systems")
    return Table(columns, tuple(rows), "Of each system the mean over its runs is taken first.")


def weights_by_system(entries: Sequence[Mapping[str, Any]]) -> Table:
    """What the weights say and what they cost, one row for each system."""
    columns = ("", "atoms", "ESS / %", "top removed / %", "largest k̂", "valid / %", "seconds", "energies")
    rows = tuple(
        (
            entry["system"],
            str(entry["atoms"] or ABSENT),
            *(_runs(entry, measure) for measure in (ESS, ESS_TRIMMED)),
            fixed(max(run["pareto_k"] for run in entry["runs"])),
            _runs(entry, VALID),
            f"{over_runs(entry, SECONDS)[0]:.1f}",
            f"{over_runs(entry, EVALUATIONS)[0]:,.0f}",
        )
        for entry in entries
    )
    seen = frozenset(i for i, entry in enumerate(entries) if entry["trained_on"])
    caption = "Of one run, ± standard deviation over the seeds." + (" Marked: in the model's training." if seen else "")
    return Table(columns, rows, caption, marked=seen)


def distances_by_system(entries: Sequence[Mapping[str, Any]]) -> Table | None:
    """Proposal → reweighted, and the same between halves of the reference; None without any reference."""
    compared = [entry for entry in entries if entry["reference"]]
    if not compared:
        return None
    shown = [key for key in DISTANCES if any(_has(entry, key) for entry in compared)]
    rows = tuple((entry["system"], *(_change(entry, key) for key in shown)) for entry in compared)
    caption = "Proposal → reweighted ± standard deviation over the seeds (halves of the reference)."
    return Table(("", *(_heading(key) for key in shown)), rows, caption)


def brief(entries: Sequence[Mapping[str, Any]]) -> Table:
    """What fits a terminal: weighted samples of each system, means, medians, and the halves of the reference."""
    measures = (ESS, ESS_TRIMMED, VALID, *(distance(key, "reweighted") for key in DISTANCES))
    columns = ("", "ESS/%", "trimmed", "valid", *(DISTANCES[key][0].replace(" error", "") for key in DISTANCES))
    rows = [
        (entry["system"], *(fixed(m.factor * over_runs(entry, m)[0], min(_digits(m), 2)) for m in measures))
        for entry in entries
    ]
    found = [over_systems(entries, measure) for measure in measures]
    for statistic in ("mean", "median"):
        values = (
            math.nan if f is None else m.factor * getattr(f, statistic) for f, m in zip(found, measures, strict=True)
        )
        cells = (fixed(v, min(_digits(m), 2)) for v, m in zip(values, measures, strict=True))
        rows.append((statistic, *cells))
    rows.append(("MD halves", *[ABSENT] * 3, *(fixed(floor(entries, key)[0]) for key in DISTANCES)))
    return Table(columns, tuple(rows))


def markdown(table: Table) -> str:
    """A table in Markdown, with its caption below."""
    lines = ["| " + " | ".join(table.columns) + " |", "|---|" + "---:|" * (len(table.columns) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    return "\n".join(lines) + f"\n\n{table.caption}\n"


def _has(entry: Mapping[str, Any], key: str) -> bool:
    return not math.isnan(over_runs(entry, distance(key, "proposal"))[0])


def _change(entry: Mapping[str, Any], key: str) -> str:
    if not _has(entry, key):
        return ABSENT
    before, after = (over_runs(entry, distance(key, variant)) for variant in VARIANTS[:2])
    halves, digits = entry["reference"]["floor"].get(key, (math.nan,))[0], _digits(distance(key, "proposal"))
    return f"{fixed(before[0], digits)} → {_pm(*after, digits)} ({fixed(halves, digits)})"


def _distances(entries: Sequence[Mapping[str, Any]], variant: str) -> tuple[str, ...]:
    return tuple(_mean(entries, distance(key, variant)) for key in DISTANCES)


def _mean(entries: Sequence[Mapping[str, Any]], measure: Measure) -> str:
    found = over_systems(entries, measure)
    return (
        ABSENT if found is None else _pm(measure.factor * found.mean, measure.factor * found.spread, _digits(measure))
    )


def _runs(entry: Mapping[str, Any], measure: Measure) -> str:
    mean, spread = over_runs(entry, measure)
    return _pm(measure.factor * mean, measure.factor * spread, _digits(measure))


def _pm(value: float, error: float, digits: int = 3) -> str:
    if not math.isfinite(value):
        return fixed(value)
    return fixed(value, digits) + (f" ± {fixed(error, digits)}" if math.isfinite(error) else "")


def _plain(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f}".rstrip("0").rstrip(".") if value < 100 else f"{value:.3g}"


def _digits(measure: Measure) -> int:
    return {"%": 1, "": 3, "s": 1}.get(measure.unit, 3) if measure.key != "energy_evaluations" else 0


def _heading(key: str) -> str:
    label, unit = DISTANCES[key]
    return f"{label} / {unit}" if unit else label
