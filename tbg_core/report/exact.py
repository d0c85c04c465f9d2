"""What is known exactly beside what was estimated, for reports of systems with closed forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from tbg_core.report.numbers import interval, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tbg_core.ensemble.estimate import Estimate


def exact_table(entries: Iterable[tuple[str, float, Estimate]]) -> Markup:
    """A table of exact values, estimates with their intervals, and deviations in standard errors.

    Args:
        entries: Name, exact value and estimate of each quantity, in the unit of the estimate.
    """
    rows = Markup()
    for name, exact, estimate in entries:
        off = (estimate.value - exact) / estimate.error if estimate.error > 0 else float("nan")
        values = (rounded(exact, estimate.error), rounded(estimate.value, estimate.error), interval(estimate))
        sigmas = f"{off:+.1f}".replace("-", "−") if np.isfinite(off) else "–"
        rows += Markup("<tr><th scope='row'>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
            name, *values, sigmas
        )
    head = ("", "exact", "estimate", "90 % interval", "deviation / standard error")
    return (
        Markup("<table><thead><tr>")
        + Markup().join(Markup("<th scope='col'>{}</th>").format(h) for h in head)
        + Markup("</tr></thead><tbody>")
        + rows
        + Markup("</tbody></table>")
    )
