"""Histograms of the potential energy: as drawn, reweighted, simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.report.blocks import Figure, Figures, Note, Section
from tbg_core.report.numbers import percent
from tbg_core.report.plotting import PROPOSAL, REFERENCE, REWEIGHTED, legend_above, new_plot, to_svg
from tbg_core.units import energy_unit

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData


def build(run: RunData) -> Section:
    """One figure; the proposal may reach beyond its edge, and the caption says how much of it."""
    ensemble = run.ensemble
    unit = "kJ/mol" if run.molecular else "kT"
    factor = energy_unit(unit, ensemble.temperature_K)
    used = ensemble.relative_weights > 0.0
    if not used.any():
        return Section("energies", "Energies", (Note("No sample is valid."),), order=400)
    u = ensemble.reduced_energy[used] * factor
    w = ensemble.relative_weights[used]
    low, high = _range(u, w, None if run.reference is None else run.reference.reduced_energy * factor)
    edges = np.linspace(low, high, int(np.clip(2.0 * np.sqrt(ensemble.ess), 20, 60)) + 1)
    drawing, axes = new_plot(6.6, 3.1)
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
        caption += f" {percent(above)} of the proposal lies beyond the right edge (up to {u.max():,.0f} {unit})."
    svg = to_svg(drawing, "energies", "histograms of the potential energy")
    return Section("energies", "Energies", (Figures((Figure(svg),), caption),), order=400)


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
