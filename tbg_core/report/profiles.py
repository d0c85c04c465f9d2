"""Free-energy profiles as they are drawn: one curve per origin, with its band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.ensemble.free_energy import histogram_profile
from tbg_core.report.labels import axis_label, name_of
from tbg_core.report.plotting import PROPOSAL, REFERENCE, REWEIGHTED, legend_above, new_plot, to_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from matplotlib.axes import Axes

    from tbg_core.report.clouds import Measure
    from tbg_core.report.run_data import RunData

TOP: Final = 10.0
"""Profiles are cut here, kT."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One profile.

    Attributes:
        label: For the legend.
        colour: Of the line.
        free_energy: F of each bin [m], kT; inf where nothing fell.
        error: Standard errors [m], kT; nan where there is none to show.
        low: Lower end of the band [m]; nan where there is none.
        high: Upper end.
        width: Of the line, points.
        dashes: Line style of matplotlib.
    """

    label: str
    colour: str
    free_energy: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    width: float = 1.5
    dashes: str = "-"


def bins_for(effective: float) -> int:
    """More bins for more effective samples: from 16 to 60."""
    return int(np.clip(1.2 * np.sqrt(effective), 16, 60)) // 2 * 2


def curves(run: RunData, observable: Measure) -> tuple[np.ndarray, list[Curve]]:
    """Bin edges, and the curves of proposal, simulation and reweighted samples; the last one matters most."""
    profile = run.ensemble.profile(observable, bins=bins_for(run.ensemble.ess))
    edges, absent = profile.edges, np.full(len(profile.edges) - 1, np.nan)
    proposal = run.clouds[0]
    raw, *_ = histogram_profile(proposal.evaluate(observable), proposal.weights, edges, groups=None)
    found = [Curve("proposal", PROPOSAL, raw, absent, absent, absent, 1.0)]
    if run.reference is not None:
        found.append(Curve(run.reference_name, REFERENCE, *run.reference.profile(observable, edges), 1.4, "--"))
    error = profile.error if profile.reliable else absent
    found.append(Curve("reweighted", REWEIGHTED, profile.free_energy, error, profile.low, profile.high, 2.0))
    return edges, found


def plot(
    observable: Measure,
    edges: np.ndarray,
    found: Sequence[Curve],
    name: str,
    unit: str,
    factor: float,
) -> Markup:
    """The curves over each other.

    Args:
        observable: What is along the axis.
        edges: Bin edges [m + 1].
        found: The curves, the most important last.
        name: Unique in the page.
        unit: Unit of energy.
        factor: Size of kT in it.
    """
    drawing, axes = new_plot(5.0, 3.2)
    for curve in found:
        _band(axes, edges, curve, factor)
    for curve in found:
        _line(axes, edges, curve, factor)
    axes.set(xlabel=axis_label(observable), ylabel=f"free energy / {unit}", xlim=(float(edges[0]), float(edges[-1])))
    # The proposal, which comes first, may be anywhere.
    finite = np.concatenate([c.free_energy[np.isfinite(c.free_energy)] for c in found[1:] or found])
    axes.set_ylim(-0.6 * factor, min(TOP, max(4.0, 1.15 * float(finite.max(initial=0.0)))) * factor)
    period = getattr(observable, "period", None)
    if period is not None and period > 100.0:
        axes.set_xticks(np.linspace(edges[0], edges[-1], 5))
    axes.grid(axis="y")
    legend_above(axes)
    return to_svg(drawing, name, f"free energy along {name_of(observable)}")


def _line(axes: Axes, edges: np.ndarray, curve: Curve, factor: float) -> None:
    # Drawn through the bin centres; bins without weight are gaps.
    centres = 0.5 * (edges[1:] + edges[:-1])
    free = np.where(np.isfinite(curve.free_energy), curve.free_energy * factor, np.nan)
    axes.plot(centres, free, color=curve.colour, linewidth=curve.width, linestyle=curve.dashes, label=curve.label)
    alone = np.isfinite(free) & ~np.isfinite(np.roll(free, 1)) & ~np.isfinite(np.roll(free, -1))
    axes.plot(centres[alone], free[alone], ".", color=curve.colour, markersize=3.0 * curve.width)


def _band(axes: Axes, edges: np.ndarray, curve: Curve, factor: float) -> None:
    if np.isfinite(curve.low).any():
        centres = 0.5 * (edges[1:] + edges[:-1])
        low, high = curve.low * factor, curve.high * factor
        axes.fill_between(centres, low, high, color=curve.colour, alpha=0.2, linewidth=0)
