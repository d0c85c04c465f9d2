"""What the run cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tbg_core.report.blocks import Block, Figure, Figures, Paragraph, Section, Table
from tbg_core.report.numbers import duration, percent
from tbg_core.report.plotting import REWEIGHTED, new_plot, to_svg

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData


_STAGES: Final = ("load", "simulate", "train", "sample", "reweight", "analyse", "report")


def build(run: RunData) -> Section | None:
    """Wall-clock time per stage and energy evaluations; None where nothing was recorded."""
    recorded = run.metrics.get("seconds") or {}
    known = {str(k): float(v) for k, v in recorded.items() if isinstance(v, (int, float))}
    seconds = dict(sorted(known.items(), key=lambda stage: _place(stage[0])))
    evaluations = run.metrics.get("energy_evaluations")
    blocks: list[Block] = []
    total = sum(seconds.values())
    if total > 0.0:
        drawing, axes = new_plot(5.0, 0.55 + 0.28 * len(seconds))
        names = list(seconds)[::-1]
        axes.barh(names, [seconds[name] for name in names], color=REWEIGHTED, height=0.62)
        axes.set(xlabel="wall-clock time / s")
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        blocks.append(Figures((Figure(to_svg(drawing, "cost", "time per stage")),)))
        rows = [(name, duration(value), percent(value / total)) for name, value in seconds.items()]
        blocks.append(Table(("Stage", "Time", "Share"), (*rows, ("total", duration(total), "100 %"))))
    if evaluations:
        ess = run.ensemble.reliability.ess
        text = f"{evaluations:,} conformations had their energy evaluated"
        if ess >= 1.0:
            text += f", {evaluations / ess:,.1f} per effective sample"
        if ess >= 1.0 and known.get("sample"):
            text += f"; sampling took {duration(known['sample'] / ess)} per effective sample"
        blocks.append(Paragraph(f"{text}."))
    return Section("cost", "Cost", tuple(blocks), order=900) if blocks else None


def _place(stage: str) -> tuple[int, str]:
    """Stages in the order in which they run, others after them."""
    return (_STAGES.index(stage) if stage in _STAGES else len(_STAGES), stage)
