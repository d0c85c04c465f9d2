"""Expectation values beside those of a simulation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.ensemble.averages import unwrapped
from tbg_core.report.blocks import Block, Note, Paragraph, Section, Table
from tbg_core.report.labels import axis_label, headline
from tbg_core.report.numbers import ABSENT, interval, rounded
from tbg_core.report.run_data import energy_scale

if TYPE_CHECKING:
    from tbg_core.ensemble.estimate import Estimate
    from tbg_core.report.clouds import Measure
    from tbg_core.report.run_data import RunData

MAX_ROWS: Final = 24
MARKED: Final = 3.0
"""Differences beyond this many combined errors stand out."""


def build(run: RunData) -> Section:
    """A row per observable and one for the energy."""
    rows = [_energy(run), *(_row(run, observable) for observable in run.observables[:MAX_ROWS])]
    columns = ["Average", "Proposal", "Reweighted", "± error", "90 % interval"]
    if run.reference is not None:
        columns += [headline(run.reference_name), "± error", "Difference"]
    blocks: list[Block] = []
    if not run.ensemble.reliability.reliable:
        blocks.append(Note("Not reliable: the values are shown for orientation, without errors."))
    far = frozenset(i for i, row in enumerate(rows) if _sigmas(row[-1]) > MARKED)
    blocks.append(Table(tuple(columns), tuple(rows), marked=far))
    angles = any(getattr(o, "period", None) is not None for o in run.observables[:MAX_ROWS])
    remark = "Angles are averaged around their circular mean. " if angles else ""
    remark += "Errors come from the weights of all attempted samples"
    if run.reference is not None:
        remark += (
            "; those of the simulation from blocks longer than its correlation time. The difference is in "
            f"units of the combined error: of {len(rows)} independent differences about "
            f"{0.0455 * len(rows):.1f} would exceed 2."
        )
    blocks.append(Paragraph(remark.removesuffix(".") + "."))
    return Section("expectations", "Expectation values", tuple(blocks), order=300)


def _energy(run: RunData) -> tuple[str, ...]:
    ensemble = run.ensemble
    unit, factor = energy_scale(run)
    raw = ensemble.reduced_energy[ensemble.valid] * factor
    reference = None if run.reference is None else run.reference.mean_energy(factor, unit)
    return _cells(f"potential energy / {unit}", raw, ensemble.mean_energy(unit=unit), reference, None)


def _row(run: RunData, observable: Measure) -> tuple[str, ...]:
    ensemble = run.ensemble
    period = getattr(observable, "period", None)
    values = ensemble.evaluate(observable)[ensemble.valid]
    raw = unwrapped(values, np.ones(len(values)), period)
    label = axis_label(observable)
    reference = None if run.reference is None else run.reference.expectation(observable)
    return _cells(label, raw, ensemble.expectation(observable), reference, period)


def _cells(
    label: str, raw: np.ndarray, estimate: Estimate, reference: Estimate | None, period: float | None
) -> tuple[str, ...]:
    scale = estimate.error if math.isfinite(estimate.error) and estimate.error > 0.0 else float("nan")
    proposal = rounded(float(raw.mean()), scale) if len(raw) else ABSENT
    cells = [label, proposal, rounded(estimate.value, scale)]
    cells += [f"{scale:.2g}" if estimate.reliable else ABSENT, interval(estimate)]
    if reference is not None:
        cells += [rounded(reference.value, reference.error), f"{reference.error:.2g}"]
        cells.append(_difference(estimate, reference, period))
    return tuple(cells)


def _sigmas(cell: str) -> float:
    """Size of a difference as :func:`_difference` writes it; 0 for other cells."""
    return abs(float(cell.removesuffix(" σ").replace("−", "-"))) if cell.endswith(" σ") else 0.0


def _difference(estimate: Estimate, reference: Estimate, period: float | None) -> str:
    if not (estimate.reliable and reference.reliable):
        return ABSENT
    gap = estimate.value - reference.value
    if period is not None:
        gap = (gap + 0.5 * period) % period - 0.5 * period
    combined = math.hypot(estimate.error, reference.error)
    return f"{gap / combined:+.1f} σ".replace("-", "−") if combined > 0.0 else ABSENT
