"""What was attempted, what was valid, what was dropped and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.ensemble import Validity
from tbg_core.report.blocks import Block, Paragraph, Section, Table
from tbg_core.report.numbers import percent

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData


def build(run: RunData) -> Section:
    """Counts by outcome."""
    ensemble = run.ensemble
    n = max(1, ensemble.attempted)
    rows = [("valid", f"{int(ensemble.valid.sum()):,}", percent(ensemble.valid.sum() / n))]
    for code in Validity:
        count = int(np.sum(ensemble.status[~ensemble.valid] == code))
        if count:
            rows.append((f"dropped: {code.reason}", f"{count:,}", percent(count / n)))
    rows.append(("attempted", f"{ensemble.attempted:,}", "100 %"))
    blocks: list[Block] = [
        Paragraph(
            "Dropped samples have weight zero. They stay in the denominator of the effective sample size and "
            "of log Z, so that nothing is gained by dropping."
        ),
        Table(("Outcome", "Samples", "Share"), tuple(rows)),
    ]
    error = run.metrics.get("log_q_err_median")
    if error:
        blocks.append(Paragraph(f"Median estimated error of log q: {error:.2g} nats per sample."))
    return Section("attempted", "What was attempted", tuple(blocks), order=600)
