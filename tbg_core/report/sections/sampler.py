"""What a sampler that moves particles did: populations, ancestors, acceptances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tbg_core.report.blocks import Block, Paragraph, Section, Table
from tbg_core.report.numbers import fixed

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData

_LABELS: Final = {
    "acceptance": "acceptance of moves",
    "acceptance_lowest": "lowest acceptance at a step",
    "resamplings": "resamplings",
    "jump_acceptance": "accepted jumps",
    "autocorrelation_sweeps": "integrated autocorrelation time of the energy (sweeps)",
    "invalid_draws": "draws outside of the domain",
    "density_evaluations": "evaluations of log q",
}


def build(run: RunData) -> Section | None:
    """Means over populations; None for samples that were drawn independently."""
    recorded = run.metrics.get("sampler")
    if not isinstance(recorded, dict):
        return None
    means = recorded.get("mean_per_block", {})
    rows = tuple((_LABELS.get(name, name), fixed(float(value), 3)) for name, value in means.items())
    blocks: list[Block] = [Table(("Mean of a block", ""), rows)]
    populations = run.metrics.get("populations")
    if populations:
        spread = run.metrics.get("population_log_z_std")
        text = (
            f"{populations:,} populations were moved independently of each other; errors are the spread between them. "
            f"Their rows descend from {run.metrics.get('unique_ancestors'):,} draws of the proposal. The effective "
            "sample size is that of these draws, with the weight of all their descendants: moves that "
            "make descendants of one draw differ are not credited, so that it is rather too low."
        )
        if spread is not None:
            text += f" The standard deviation of log Z from one population to another is {fixed(spread, 3)}."
        blocks.append(Paragraph(text))
    return Section("sampler", "Sampler", tuple(blocks), order=550)
