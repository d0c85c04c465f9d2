"""Free energies and averages of several runs over each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tbg_core.report import profiles
from tbg_core.report.blocks import Block, Figure, Figures, Section, Table
from tbg_core.report.comparison.runs import share_draws
from tbg_core.report.labels import axis_label
from tbg_core.report.numbers import ABSENT, rounded
from tbg_core.report.plotting import REFERENCE
from tbg_core.report.profiles import Curve
from tbg_core.report.sections.free_energy import profile_observables

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from tbg_core.ensemble.estimate import Estimate
    from tbg_core.report.clouds import Measure
    from tbg_core.report.comparison.runs import Compared

MAX_AVERAGES: Final = 24


def profiles_section(runs: Sequence[Compared]) -> Section | None:
    """One plot per observable; None where there is none, or no run has a valid sample."""
    first = runs[0].data
    usable = [run for run in runs if run.data.ensemble.relative_weights.any()]
    chosen = profile_observables(first)
    if not chosen or not usable:
        return None
    bins = profiles.bins_for(min(run.data.ensemble.ess for run in usable))
    figures = []
    for index, observable in enumerate(chosen):
        edges = usable[0].data.ensemble.profile(observable, bins=bins).edges
        curves = []
        if first.reference is not None:
            curves.append(Curve(first.reference_name, REFERENCE, *first.reference.profile(observable, edges), 1.2))
        curves += [_curve(run, observable, edges) for run in usable]
        name = f"compared-{index}"
        plot = profiles.plot(observable, edges, curves, name, first.units.energy, first.energy_factor)
        figures.append(Figure(plot))
    caption = "Bands: 90 % bootstrap intervals of the runs that are reliable. Each curve is zero at its minimum."
    return Section("profiles", "Free energies", (Figures(tuple(figures), caption, wide=True),), order=300)


def _curve(run: Compared, observable: Measure, edges: np.ndarray) -> Curve:
    found = run.data.ensemble.profile(observable, bins=edges)
    return Curve(
        run.name, run.colour, found.free_energy, found.error, found.low, found.high, width=1.7, dashes=run.dashes
    )


def averages_section(runs: Sequence[Compared]) -> Section | None:
    """Averages with errors; differences from the first run in units of the combined error."""
    first = runs[0].data
    observables = first.observables[:MAX_AVERAGES]
    if not observables:
        return None
    columns = ["Average"]
    for run in runs:
        columns += [run.name, "± error"]
    columns += [f"{run.name} less {runs[0].name}" for run in runs[1:]]
    rows, marked = [], set()
    for index, observable in enumerate(observables):
        estimates = [run.data.ensemble.expectation(observable) for run in runs]
        cells = [axis_label(observable)]
        for estimate in estimates:
            cells += [rounded(estimate.value, estimate.error), f"{estimate.error:.2g}" if estimate.reliable else ABSENT]
        for run, estimate in zip(runs[1:], estimates[1:], strict=True):
            shared = share_draws(first, run.data)
            z = math.nan if shared else _significance(estimates[0], estimate, getattr(observable, "period", None))
            cells.append(f"{z:+.1f} σ".replace("-", "−") if math.isfinite(z) else ABSENT)
            if math.isfinite(z) and abs(z) > 3.0:
                marked.add(index)
        rows.append(tuple(cells))
    table = Table(tuple(columns), tuple(rows), "", marked=frozenset(marked))
    blocks: tuple[Block, ...] = (table,)
    return Section("averages", "Expectation values", blocks, order=400)


def _significance(a: Estimate, b: Estimate, period: float | None) -> float:
    if not (a.reliable and b.reliable):
        return math.nan
    gap = b.value - a.value
    if period is not None:
        gap = (gap + 0.5 * period) % period - 0.5 * period
    error = math.hypot(a.error, b.error)
    return gap / error if error > 0.0 else math.nan
