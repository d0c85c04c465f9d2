"""Free-energy profiles with bootstrap bands, and differences between regions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.report import profiles
from tbg_core.report.blocks import Block, Figure, Figures, Section, Table
from tbg_core.report.labels import name_of
from tbg_core.report.numbers import ABSENT, interval, rounded

if TYPE_CHECKING:
    from tbg_core.report.clouds import Measure
    from tbg_core.report.profiles import Curve
    from tbg_core.report.run_data import RunData

MAX_PROFILES: Final = 4
"""Shown unasked; what the reader asks for comes on top."""


def build(run: RunData) -> Section | None:
    """Profiles along what was asked for and the first usual observables; None where there is no observable."""
    chosen = profile_observables(run)
    if not chosen or not run.ensemble.relative_weights.any():
        return None
    unit, factor = run.units.energy, run.energy_factor
    figures, agreements = [], []
    for index, observable in enumerate(chosen):
        edges, curves = profiles.curves(run, observable)
        figures.append(Figure(profiles.plot(observable, edges, curves, f"profile-{index}", unit, factor)))
        if run.reference is not None:
            agreements.append((name_of(observable), *_agreement(curves, factor)))
    reliable = run.ensemble.reliability.reliable
    band = "Band: 90 % bootstrap interval of −log p in each bin. " if reliable else "Not reliable, hence without band. "
    caption = f"{band}Each curve is shifted to zero at its minimum; a gap is a bin without a sample."
    blocks: list[Block] = [Figures(tuple(figures), caption, wide=True)]
    differences = tuple(row for o in chosen if (row := _difference(run, o)) is not None)
    if differences:
        columns = ["Free-energy difference", unit, "90 % interval"]
        if run.reference is not None:
            columns += [run.reference_name, "± error"]
        blocks.append(Table(tuple(columns), differences, "F of the first region less F of the second."))
    if agreements:
        columns = ["Profile", f"rms difference / {unit}", "largest difference", "where both are known"]
        caption = (
            f"Reweighted less {run.reference_name}: root mean square over the {run.reference_name}; largest in units "
            "of the combined error; share of the reference in bins that both have an error for."
        )
        blocks.append(Table(tuple(columns), tuple(agreements), caption))
    return Section("free-energy", "Free energy", tuple(blocks), order=200)


def profile_observables(run: RunData) -> tuple[Measure, ...]:
    """What was asked for, then backbone torsions; other observables only where there is neither."""
    rest = [o for o in run.observables if o not in run.chosen]
    backbone = [o for o in rest if str(getattr(o, "name", "")).partition(":")[0] in {"phi", "psi"}]
    usual = backbone or ([] if run.chosen else rest)
    return (*run.chosen, *usual[:MAX_PROFILES])


def _agreement(curves: list[Curve], factor: float) -> tuple[str, str, str]:
    """How far the last curve is from the one before: rms difference, largest one over its error, coverage."""
    simulated, reweighted = curves[-2], curves[-1]
    p = np.where(np.isfinite(simulated.free_energy), np.exp(-simulated.free_energy), 0.0)
    known = np.isfinite(simulated.error) & np.isfinite(reweighted.free_energy) & (p > 0.0)
    if not known.any():
        return ABSENT, ABSENT, ABSENT
    # The offset between two profiles is arbitrary: that of their minima is the noise of one bin.
    gap = reweighted.free_energy[known] - simulated.free_energy[known]
    gap = gap - np.average(gap, weights=p[known])
    rms = math.sqrt(float(np.average(gap**2, weights=p[known])))
    combined = np.hypot(simulated.error[known], reweighted.error[known])
    usable = np.isfinite(combined) & (combined > 0.0)
    largest = f"{np.abs(gap[usable] / combined[usable]).max():.1f} σ" if usable.any() else ABSENT
    return f"{rms * factor:.2f}", largest, f"{100.0 * p[known].sum() / p.sum():.0f} %"


def _difference(run: RunData, observable: Measure) -> tuple[str, ...] | None:
    """The two sides of zero of phi or of a coordinate; None for psi and the like."""
    name, period = name_of(observable), getattr(observable, "period", None)
    spec = str(getattr(observable, "name", ""))
    if spec.partition(":")[0] not in {"phi", "x"}:
        return None
    values = run.clouds[1].evaluate(observable)
    if not values.min(initial=0.0) < 0.0 < values.max(initial=0.0):
        return None
    far = 1e9 if period is None else 0.5 * float(period)
    factor = run.energy_factor
    found = run.ensemble.free_energy(observable, (-far, 0.0), (0.0, far), unit=run.units.energy)
    held = interval(found) if found.interval or not run.ensemble.reliability.reliable else "too few samples"
    cells = [f"{name} > 0 against {name} < 0", rounded(found.value, found.error), held]
    if run.reference is not None:
        side = run.reference.expectation(_Side(observable))
        p, error = side.value, side.error
        inside = 0.0 < p < 1.0
        cells.append(rounded(-math.log(p / (1.0 - p)) * factor, error / (p * (1.0 - p)) * factor) if inside else ABSENT)
        cells.append(f"{error / (p * (1.0 - p)) * factor:.2g}" if inside and side.reliable else ABSENT)
    return tuple(cells)


class _Side:
    """1 where an observable is positive."""

    unit = ""
    period: float | None = None

    def __init__(self, observable: Measure) -> None:
        self._observable = observable

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        return (self._observable(positions) > 0.0).astype(np.float64)
