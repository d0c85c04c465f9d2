"""Free-energy profiles with bootstrap bands, and the difference between the two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.ensemble.free_energy import Profile, histogram_profile
from tbg_core.report.blocks import Block, Figure, Figures, Section, Table
from tbg_core.report.labels import symbol
from tbg_core.report.numbers import interval, rounded
from tbg_core.report.plotting import PROPOSAL, REFERENCE, REWEIGHTED, legend_above, new_plot, to_svg
from tbg_core.units import energy_unit

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

    from tbg_core.ensemble.ensemble import Observe
    from tbg_core.report.run_data import RunData

MAX_PROFILES: Final = 4
TOP: Final = 10.0
"""Profiles are cut here, kT."""


def build(run: RunData) -> Section | None:
    """Profiles along the first observables; None where there is no observable."""
    chosen = profile_observables(run.observables)
    if not chosen:
        return None
    figures, rows = [], []
    for index, observable in enumerate(chosen):
        profile = run.ensemble.profile(observable, bins=_bins(run))
        figures.append(Figure(_plot(run, observable, profile, index)))
        rows.append(_difference(run, observable, profile))
    band = "Band: 90 % bootstrap interval of −log p in each bin. " if run.ensemble.reliability.reliable else ""
    blocks: list[Block] = [
        Figures(tuple(figures), f"{band}Each curve is shifted to zero at its minimum; thin line: the proposal.")
    ]
    table = tuple(row for row in rows if row is not None)
    if table:
        blocks.append(
            Table(
                ("Free-energy difference", "kT", "90 % interval", *(["kJ/mol"] if run.molecular else [])),
                table,
                "F of the first region less F of the second.",
            )
        )
    return Section("free-energy", "Free energy", tuple(blocks), order=200)


def profile_observables(observables: tuple[Observe, ...]) -> tuple[Observe, ...]:
    """Backbone torsions first, in the order given; nothing else where there are some."""
    backbone = [o for o in observables if any(a in str(getattr(o, "name", "")) for a in ("phi", "psi"))]
    return tuple((backbone or list(observables))[:MAX_PROFILES])


def _bins(run: RunData) -> int:
    """More bins for more effective samples: from 16 to 60."""
    return int(np.clip(1.2 * np.sqrt(run.ensemble.ess), 16, 60)) // 2 * 2


def _plot(run: RunData, observable: Observe, profile: Profile, index: int) -> Markup:
    drawing, axes = new_plot(4.4, 3.0)
    values = run.ensemble.evaluate(observable)
    raw, *_ = histogram_profile(values, run.proposal_weights(), profile.edges, groups=None)
    _curve(axes, profile.edges, raw, PROPOSAL, "proposal", 0.9)
    if run.reference is not None:
        free, _, low, high = run.reference.profile(observable, profile.edges)
        _band(axes, profile.edges, low, high, REFERENCE)
        _curve(axes, profile.edges, free, REFERENCE, run.reference_name, 1.4)
    _band(axes, profile.edges, profile.low, profile.high, REWEIGHTED)
    _curve(axes, profile.edges, profile.free_energy, REWEIGHTED, "reweighted", 2.0)
    unit = f" / {profile.unit}" if profile.unit else ""
    axes.set(
        xlabel=f"{symbol(profile.name)}{unit}",
        ylabel="free energy / kT",
        xlim=(profile.edges[0], profile.edges[-1]),
    )
    finite = profile.free_energy[np.isfinite(profile.free_energy)]
    axes.set_ylim(-0.6, min(TOP, max(4.0, 1.15 * finite.max(initial=0.0))))
    if profile.period is not None and profile.period > 100.0:
        axes.set_xticks(np.linspace(profile.edges[0], profile.edges[-1], 5))
    axes.grid(axis="y")
    legend_above(axes)
    return to_svg(drawing, f"profile-{index}", f"free energy along {profile.name}")


def _curve(axes: Axes, edges: np.ndarray, free: np.ndarray, colour: str, label: str, width: float) -> None:
    # Drawn through the bin centres; bins without weight are gaps.
    centres = 0.5 * (edges[1:] + edges[:-1])
    axes.plot(centres, np.where(np.isfinite(free), free, np.nan), color=colour, linewidth=width, label=label)


def _band(axes: Axes, edges: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> None:
    if np.isfinite(low).any():
        centres = 0.5 * (edges[1:] + edges[:-1])
        axes.fill_between(centres, low, high, color=colour, alpha=0.22, linewidth=0)


def _difference(run: RunData, observable: Observe, profile: Profile) -> tuple[str, ...] | None:
    """The two sides of zero of phi or of a coordinate; None for psi and the like."""
    name = symbol(profile.name)
    if profile.period is not None and "phi" not in profile.name:
        return None
    low, high = float(profile.edges[0]), float(profile.edges[-1])
    if not low < 0.0 < high:
        return None
    far = 1e9 if profile.period is None else 0.5 * profile.period
    reduced = run.ensemble.free_energy(observable, (-far, 0.0), (0.0, far))
    cells = [f"{name} > 0 against {name} < 0", rounded(reduced.value, reduced.error), interval(reduced)]
    if run.molecular:
        factor = energy_unit("kJ/mol", run.ensemble.temperature_K)
        cells.append(rounded(reduced.value * factor, reduced.error * factor))
    return tuple(cells)
