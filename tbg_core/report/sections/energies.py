"""The potential energy: as drawn, reweighted, simulated; and against the density it was drawn with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.report.blocks import Figure, Figures, Note, Section
from tbg_core.report.numbers import percent
from tbg_core.report.plotting import IN_PICTURES, INK, PROPOSAL, REFERENCE, REWEIGHTED, legend_above, new_plot, to_svg
from tbg_core.report.run_data import energy_scale

if TYPE_CHECKING:
    from markupsafe import Markup

    from tbg_core.ensemble.ensemble import Ensemble
    from tbg_core.report.run_data import RunData

SVG_BELOW: Final = 600
"""More points than this are drawn as a picture."""


def build(run: RunData) -> Section:
    """One figure; the proposal may reach beyond its edge, and the caption says how much of it."""
    ensemble = run.ensemble
    unit, factor = energy_scale(run)
    used = ensemble.relative_weights > 0.0
    if not used.any():
        return Section("energies", "Energies", (Note("No sample is valid."),), order=400)
    u = ensemble.reduced_energy[used] * factor
    w = ensemble.relative_weights[used]
    low, high = _range(u, w, None if run.reference is None else run.reference.reduced_energy * factor)
    edges = np.linspace(low, high, int(np.clip(2.0 * np.sqrt(ensemble.ess), 20, 60)) + 1)
    drawing, axes = new_plot(5.0, 3.2)
    axes.stairs(_density(u, np.ones(len(u)), edges), edges, color=PROPOSAL, label="proposal", linewidth=1.2)
    if run.reference is not None:
        simulated = run.reference.reduced_energy * factor
        heights = _density(simulated, np.ones(len(simulated)), edges)
        axes.stairs(heights, edges, color=REFERENCE, label=run.reference_name, linewidth=1.4)
    heights = _density(u, w, edges)
    axes.stairs(heights, edges, color=REWEIGHTED, fill=True, alpha=0.25, linewidth=0)
    axes.stairs(heights, edges, color=REWEIGHTED, label="reweighted", linewidth=1.8)
    axes.set(xlabel=f"potential energy / {unit}", ylabel="density", xlim=(low, high))
    axes.set_yticks([])
    axes.set_ylim(bottom=0.0)
    legend_above(axes)
    above = float(np.mean(u > high))
    caption = "All curves have the same area over the whole axis of energies."
    if above > 0.001:
        edge = f"{u.max():,.0f}".replace("-", "−")
        caption += f" {percent(above)} of the proposal lies beyond the right edge (up to {edge} {unit})."
    svg = to_svg(drawing, "energies", "histograms of the potential energy")
    figures = (
        Figure(svg, "Potential energy", caption),
        Figure(
            _against_density(ensemble),
            "Energy against density",
            "One point per valid sample. Line: where all would lie if q were the Boltzmann distribution. Above it: "
            "drawn too often. Below it: too rarely, hence a large weight (area).",
        ),
    )
    return Section("energies", "Energies", (Figures(figures, wide=True),), order=400)


def _range(u: np.ndarray, weights: np.ndarray, reference: np.ndarray | None) -> tuple[float, float]:
    """Where the target lies, with room to the right for the bulk of the proposal."""
    order = np.argsort(u)
    cumulative = np.cumsum(weights[order])
    low, high = u[order][np.searchsorted(cumulative, np.array([0.002, 0.998]) * cumulative[-1])]
    if reference is not None:
        low, high = min(low, np.quantile(reference, 0.001)), max(high, np.quantile(reference, 0.999))
    width = max(high - low, 1e-9)
    high = max(high, min(float(np.quantile(u, 0.98)), high + 1.5 * width))
    return float(low - 0.05 * width), float(high + 0.05 * width)


def _density(values: np.ndarray, weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    heights, _ = np.histogram(values, bins=edges, weights=weights)
    return np.asarray(heights / (weights.sum() * np.diff(edges)))


def _against_density(ensemble: Ensemble) -> Markup:
    """u against -log q: for the exact model u = -log q - log Z."""
    used = np.flatnonzero(ensemble.valid & np.isfinite(ensemble.log_weights))
    x, y = -ensemble.log_q[used], ensemble.reduced_energy[used]
    w = ensemble.relative_weights[used]
    order = np.argsort(w)
    x, y, w = x[order], y[order], w[order]
    drawing, axes = new_plot(5.0, 3.2)
    dense = len(used) > SVG_BELOW
    size = 2.0 + 40.0 * w
    opacity: Any = np.clip(0.2 + 0.6 * w, 0.0, 0.8)
    colour = IN_PICTURES if dense else REWEIGHTED
    axes.scatter(x, y, s=size, color=colour, linewidths=0, alpha=opacity, rasterized=dense)
    # The bulk, and every sample that matters.
    heavy = w > 0.02
    low, high = min(np.quantile(x, 0.005), x[heavy].min()), max(np.quantile(x, 0.98), x[heavy].max())
    bottom, top = min(np.quantile(y, 0.002), y[heavy].min()), max(np.quantile(y, 0.98), y[heavy].max())
    margin = 0.06 * max(high - low, 1e-9), 0.08 * max(top - bottom, 1e-9)
    window = (low - margin[0], high + margin[0]), (bottom - margin[1], top + margin[1])
    log_z = float(ensemble.log_z.value)
    ends = np.array(window[0])
    axes.plot(ends, ends - log_z, color=INK, linewidth=0.9)
    axes.set(xlabel="−log q", ylabel="u = U / kT", xlim=window[0], ylim=window[1])
    return to_svg(drawing, "energy-density", "reduced energy against minus log q of every valid sample")
