"""What was attempted, what was valid, what was dropped and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.ensemble import Validity
from tbg_core.report.blocks import Block, Figure, Figures, Paragraph, Section, Table
from tbg_core.report.numbers import percent
from tbg_core.report.plotting import BAD, MUTED, PAPER, REWEIGHTED, legend_above, new_plot, to_svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from tbg_core.report.run_data import RunData

_SHORT: Final = {
    Validity.INTEGRATION_FAILED: "not integrated",
    Validity.WRONG_BONDS: "wrong bonds",
    Validity.WRONG_HANDEDNESS: "wrong hand",
    Validity.NONFINITE_DENSITY: "no density",
    Validity.NONFINITE_ENERGY: "no energy",
    Validity.FILTERED: "filtered",
}
_HATCHES: Final = ("", "////", "....", "xxxx", "----", "++++")


def build(run: RunData) -> Section:
    """Counts by outcome."""
    ensemble = run.ensemble
    n = max(1, ensemble.attempted)
    valid = int(ensemble.valid.sum())
    dropped = {code: int(np.sum(ensemble.status[~ensemble.valid] == code)) for code in Validity}
    dropped = {code: number for code, number in dropped.items() if number}
    rows = [("valid", f"{valid:,}", percent(valid / n))]
    rows += [(f"dropped: {code.reason}", f"{number:,}", percent(number / n)) for code, number in dropped.items()]
    rows.append(("attempted", f"{ensemble.attempted:,}", percent(1.0)))
    blocks: list[Block] = [
        Paragraph(
            "Dropped samples have weight zero. They stay in the denominator of the effective sample size and "
            "of log Z, so that nothing is gained by dropping."
        )
    ]
    if dropped:
        blocks.append(Figures((Figure(_bar(valid, dropped)),)))
    blocks.append(Table(("Outcome", "Samples", "Share"), tuple(rows)))
    filters = ensemble.provenance.get("filters", [])
    blocks += [Paragraph(f"A filter took out {f.get('dropped')} samples: {f.get('reason')}.") for f in filters]
    error = run.metrics.get("log_q_err_median")
    if error:
        blocks.append(Paragraph(f"Estimated error of log q: {error:.2g} nats per sample (median)."))
    audit = run.provenance.get("log_q_audit")
    if isinstance(audit, dict) and isinstance(audit.get("rms"), float):
        blocks.append(
            Paragraph(
                f"Measured error of log q, against a tight evaluation in float64 of {audit.get('samples')} samples: "
                f"{audit['rms']:.2g} nats rms, {audit.get('max', float('nan')):.2g} at most. It is deterministic, and "
                "no interval contains it."
            )
        )
    return Section("attempted", "What was attempted", tuple(blocks), order=600)


def _bar(valid: int, dropped: dict[Validity, int]) -> Markup:
    """All attempted samples as one bar; what was dropped is told apart by hatching as well as by colour."""
    drawing, axes = new_plot(5.0, 0.95)
    axes.barh([0.0], [valid], color=REWEIGHTED, label="valid", height=0.8)
    left = valid
    for k, (code, number) in enumerate(dropped.items()):
        label = _SHORT.get(code, code.name.lower())
        colour = BAD if k % 2 == 0 else MUTED
        axes.barh([0.0], [number], left=left, color=colour, hatch=_HATCHES[k % 6], edgecolor=PAPER, label=label)
        left += number
    axes.set(xlim=(0, left), xlabel="attempted samples")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    legend_above(axes, tight=True)
    return to_svg(drawing, "attempted-bar", "attempted samples by outcome; the table below has the numbers")
