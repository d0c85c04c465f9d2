"""Backbone torsions: the proposal, what the weights make of it, and a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter

from tbg_core.report.blocks import Figure, Figures, Section
from tbg_core.report.labels import symbol
from tbg_core.report.plotting import (
    FREE_ENERGY,
    GRID,
    INK,
    MUTED,
    PROPOSAL,
    REWEIGHTED,
    new_plot,
    to_svg,
)

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

    from tbg_core.ensemble.ensemble import Observe
    from tbg_core.report.run_data import RunData

MAX_RESIDUES: Final = 3
MAX_FREE_ENERGY: Final = 8.0
"""Colours end here, kT."""

SCATTER_BELOW: Final = 3000
"""Fewer samples are shown one by one: their histogram would be mostly empty."""

_BINS: Final = 48
_CONTOURS: Final = (2.0, 4.0, 6.0)


def build(run: RunData) -> Section | None:
    """Ramachandran plots of the first residues; None where there is no pair of phi and psi."""
    pairs = torsion_pairs(run.observables)[:MAX_RESIDUES]
    if not pairs:
        return None
    blocks = tuple(_panels(run, phi, psi, index) for index, (phi, psi) in enumerate(pairs))
    return Section("ramachandran", "Ramachandran", blocks, order=100)


def torsion_pairs(observables: tuple[Observe, ...]) -> list[tuple[Observe, Observe]]:
    """Pairs of observables whose names differ by phi and psi only."""
    named = {str(getattr(o, "name", "")): o for o in observables}
    return [
        (phi, named[name.replace("phi", "psi")])
        for name, phi in named.items()
        if "phi" in name and name.replace("phi", "psi") in named
    ]


def _panels(run: RunData, phi: Observe, psi: Observe, index: int) -> Figures:
    ensemble = run.ensemble
    x, y = ensemble.evaluate(phi), ensemble.evaluate(psi)
    half = 0.5 * float(getattr(phi, "period", 360.0))
    reference = None
    if run.reference is not None:
        frames = run.reference
        reference = _surface(frames.evaluate(phi), frames.evaluate(psi), np.ones(len(frames)), half)
    labels = (_label(phi), _label(psi))
    valid = ensemble.valid
    figures = []
    for kind, weights, colour in (
        ("proposal", valid.astype(np.float64), PROPOSAL),
        ("reweighted", ensemble.relative_weights, REWEIGHTED),
    ):
        drawing, axes = new_plot(3.3, 3.1)
        if len(ensemble) < SCATTER_BELOW:
            _points(axes, x[valid], y[valid], weights[valid], colour)
        else:
            _heat(axes, _surface(x[valid], y[valid], weights[valid], half), half)
        if reference is not None:
            _contours(axes, reference, half)
        _frame(axes, half, labels)
        description = f"{labels[0]} and {labels[1]}, {kind}"
        figures.append(Figure(to_svg(drawing, f"rama-{index}-{kind}", description), kind.capitalize(), ""))
    if reference is not None:
        drawing, axes = new_plot(3.3, 3.1)
        _heat(axes, reference, half)
        _frame(axes, half, labels)
        svg: Markup = to_svg(drawing, f"rama-{index}-reference", f"{labels[0]} and {labels[1]}, simulation")
        figures.append(Figure(svg, "Reference MD", ""))
    return Figures(tuple(figures), _caption(run))


def _caption(run: RunData) -> str:
    if len(run.ensemble) < SCATTER_BELOW:
        text = "Each point is a valid sample; in the reweighted panel its area is its weight. "
    else:
        text = f"Colour is the free energy −log p: strongest at 0, fading out at {MAX_FREE_ENERGY:.0f} kT. "
    if run.reference is not None:
        lines = ", ".join(f"{c:.0f}" for c in _CONTOURS)
        text += (
            f"Grey lines: the free energy of the simulation ({len(run.reference):,} frames), "
            f"{lines} kT above its minimum."
        )
    return text.strip()


def _label(observable: Observe) -> str:
    return f"{symbol(str(getattr(observable, 'name', '')))} / {getattr(observable, 'unit', '')}".rstrip(" /")


def _surface(x: np.ndarray, y: np.ndarray, weights: np.ndarray, half: float) -> np.ndarray:
    """F(x, y) in kT [bins, bins], rows along y; nan where nothing fell."""
    edges = np.linspace(-half, half, _BINS + 1)
    mass, _, _ = np.histogram2d(y, x, bins=(edges, edges), weights=weights)
    with np.errstate(divide="ignore"):
        free = -np.log(mass / mass.max()) if mass.any() else np.full_like(mass, np.inf)
    return np.where(np.isfinite(free), free, np.nan)


def _heat(axes: Axes, free: np.ndarray, half: float) -> None:
    options: dict[str, Any] = {"origin": "lower", "interpolation": "nearest", "aspect": "auto"}
    axes.imshow(free, extent=(-half, half, -half, half), cmap=FREE_ENERGY, vmin=0.0, vmax=MAX_FREE_ENERGY, **options)


def _points(axes: Axes, x: np.ndarray, y: np.ndarray, weights: np.ndarray, colour: str) -> None:
    """Points whose area is their weight, in classes of size: equal markers are drawn once and referred to."""
    mean = weights.mean() if weights.any() else 1.0
    diameter = np.sqrt(np.clip(5.0 * weights / mean, 0.0, 400.0))
    classes = np.geomspace(0.15, 20.0, 25)
    nearest = np.argmin(np.abs(np.log(np.maximum(diameter, 1e-3)[:, None] / classes)), axis=1)
    nearest[diameter < 0.1] = -1
    for k in range(len(classes) - 1, -1, -1):
        chosen = nearest == k
        if chosen.any():
            style = {"markersize": classes[k], "markeredgewidth": 0.0, "alpha": 0.5}
            axes.plot(x[chosen], y[chosen], "o", color=colour, **style)


def _contours(axes: Axes, free: np.ndarray, half: float) -> None:
    mass = np.where(np.isnan(free), 0.0, np.exp(-free))
    smooth = gaussian_filter(mass, 1.2, mode="wrap")
    with np.errstate(divide="ignore"):
        levels = -np.log(smooth / smooth.max())
    centres = (np.arange(_BINS) + 0.5) / _BINS * 2.0 * half - half
    axes.contour(centres, centres, np.minimum(levels, 20.0), levels=_CONTOURS, colors=MUTED, linewidths=0.7, alpha=0.8)


def _frame(axes: Axes, half: float, labels: tuple[str, str]) -> None:
    axes.set(xlim=(-half, half), ylim=(-half, half), xlabel=labels[0], ylabel=labels[1])
    ticks = np.linspace(-half, half, 5)
    names = [f"{t:.0f}" for t in ticks] if half > 10.0 else ["−π", "−π/2", "0", "π/2", "π"]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.axhline(0.0, color=GRID, linewidth=0.6, zorder=0.5)
    axes.axvline(0.0, color=GRID, linewidth=0.6, zorder=0.5)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(INK)
        spine.set_linewidth(0.6)
