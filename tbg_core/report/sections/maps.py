"""Free energy over two coordinates: the proposal, what the weights make of it, and a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np

from tbg_core.report.blocks import Block, Figure, Figures, Note, Section
from tbg_core.report.labels import axis_label, name_of
from tbg_core.report.numbers import percent
from tbg_core.report.plotting import BAD, FREE_ENERGY, GRID, INK, MUTED, PAPER, new_plot, to_svg
from tbg_core.report.surface import BINS, EXPECTED, Plane, Surface, plane, surface

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

    from tbg_core.report.clouds import Cloud, Measure
    from tbg_core.report.run_data import RunData

MAX_PAIRS: Final = 6
MAX_FREE_ENERGY: Final = 8.0
"""Colours end here, kT."""

DOTS_BELOW: Final = 600
"""Fewer samples are also shown one by one."""

_CONTOURS: Final = (2.0, 4.0, 6.0)


def build(run: RunData) -> Section | None:
    """Ramachandran plots, one pair of torsions per residue, or the plane of a toy; None where there is neither."""
    pairs = torsion_pairs(run.observables)
    title = "Ramachandran" if pairs else "Free-energy map"
    if not pairs:
        names = {str(getattr(o, "name", "")): o for o in run.observables}
        pairs = [(names["x:0"], names["x:1"])] if {"x:0", "x:1"} <= names.keys() else []
    if not pairs:
        return None
    anchor = "ramachandran" if title == "Ramachandran" else "map"
    if not run.ensemble.relative_weights.any():
        return Section(anchor, title, (Note("No sample is valid."),), order=100)
    shown = pairs[:MAX_PAIRS]
    panels = [_panels(run, x, y, index) for index, (x, y) in enumerate(shown)]
    hatched = any(figure.caption for row in panels for figure in row.figures)
    blocks: list[Block] = [*panels, Figures((Figure(_colour_bar(run)),), _caption(run, pairs, hatched=hatched))]
    if len(shown) < len(pairs):
        blocks.append(Note(f"Shown are {len(shown)} of {len(pairs)} residues."))
    return Section(anchor, title, tuple(blocks), order=100)


def torsion_pairs(observables: tuple[Measure, ...]) -> list[tuple[Measure, Measure]]:
    """Pairs of observables whose names differ by phi and psi only."""
    named = {str(getattr(o, "name", "")): o for o in observables}
    return [
        (phi, named[name.replace("phi", "psi")])
        for name, phi in named.items()
        if name.split(":")[0] == "phi" and name.replace("phi", "psi") in named
    ]


def _panels(run: RunData, x: Measure, y: Measure, index: int) -> Figures:
    where = plane(x, y, run.clouds)
    surfaces = [surface(cloud, where) for cloud in run.clouds]
    reference = surfaces[2] if len(surfaces) > 2 else None
    figures = []
    for cloud, found in zip(run.clouds, surfaces, strict=True):
        svg, absent = _panel(cloud, where, found, None if found is reference else reference, f"map-{index}-{cloud.key}")
        caption = f"{percent(absent)} of the simulation is missing here" if absent > 0.001 else ""
        title = f"{name_of(x)}, {name_of(y)}: {cloud.label}"
        figures.append(Figure(svg, title, caption))
    return Figures(tuple(figures))


def _panel(cloud: Cloud, where: Plane, found: Surface, reference: Surface | None, name: str) -> tuple[Markup, float]:
    """The plot, and the share of the simulation that is missing in it."""
    drawing, axes = new_plot(3.4, 3.1)
    options: dict[str, Any] = {"origin": "lower", "interpolation": "nearest", "aspect": "auto"}
    axes.imshow(found.free_energy, extent=where.window, cmap=FREE_ENERGY, vmin=0.0, vmax=MAX_FREE_ENERGY, **options)
    absent = 0.0
    if len(cloud) < DOTS_BELOW:
        x, y = cloud.evaluate(where.x), cloud.evaluate(where.y)
        axes.plot(x, y, "o", color=INK, markersize=1.5, markeredgecolor=PAPER, markeredgewidth=0.25, alpha=0.7)
    if reference is not None:
        _contours(axes, reference, where)
        lacking = found.lacks(reference, cloud.effective, where.cell)
        mass = np.where(np.isfinite(reference.free_energy), np.exp(-reference.free_energy), 0.0)
        absent = float(mass[lacking].sum() / mass.sum())
        if lacking.any():
            _hatch(axes, lacking, where)
    _frame(axes, where)
    description = f"free energy over {axis_label(where.x)} and {axis_label(where.y)}, {cloud.label}"
    return to_svg(drawing, name, description), absent


def _centres(where: Plane) -> tuple[np.ndarray, np.ndarray]:
    left, right, bottom, top = where.window
    steps = (np.arange(BINS) + 0.5) / BINS
    return left + steps * (right - left), bottom + steps * (top - bottom)


def _contours(axes: Axes, found: Surface, where: Plane) -> None:
    levels = np.where(np.isfinite(found.free_energy), found.free_energy, 20.0)
    axes.contour(*_centres(where), levels, levels=_CONTOURS, colors=MUTED, linewidths=0.7, alpha=0.8)


def _hatch(axes: Axes, lacking: np.ndarray, where: Plane) -> None:
    with mpl.rc_context({"hatch.color": BAD, "hatch.linewidth": 0.7}):
        axes.contourf(*_centres(where), lacking.astype(float), levels=[0.5, 1.5], colors="none", hatches=["/////"])
        axes.contour(*_centres(where), lacking.astype(float), levels=[0.5], colors=BAD, linewidths=0.8)


def _colour_bar(run: RunData) -> Markup:
    """One bar for all panels."""
    drawing, axes = new_plot(4.4, 0.62)
    scale = run.energy_factor
    ramp = np.linspace(0.0, MAX_FREE_ENERGY, 256)[None]
    axes.imshow(ramp, extent=(0.0, MAX_FREE_ENERGY * scale, 0.0, 1.0), cmap=FREE_ENERGY, aspect="auto")
    axes.set_yticks([])
    axes.set(xlabel=f"free energy −log p / {run.units.energy}")
    return to_svg(drawing, "map-scale", f"colour scale from 0 to {MAX_FREE_ENERGY * scale:.1f} {run.units.energy}")


def _caption(run: RunData, pairs: list[tuple[Measure, Measure]], *, hatched: bool) -> str:
    where = plane(*pairs[0], run.clouds)
    unit = "°" if where.periodic else ""
    text = (
        f"All panels share one scale and one smoothing (Gaussian, {where.kernel_in_units:.2g}{unit} wide). Strong "
        f"colour: most populated; faintest: {MAX_FREE_ENERGY * run.energy_factor:.3g} {run.units.energy} and more; no "
        "colour: no sample fell there."
    )
    if len(run.ensemble) < DOTS_BELOW:
        text += " Dots: the samples, whatever their weight."
    if run.reference is not None:
        lines = ", ".join(f"{c:.0f}" for c in _CONTOURS)
        text += f" Grey lines: the simulation ({len(run.reference):,} frames), {lines} kT above its minimum."
    if hatched:
        text += (
            f" Hatched: missing. The simulation predicts at least {EXPECTED:.0f} effective samples there, and there "
            "is none."
        )
    return text


def _frame(axes: Axes, where: Plane) -> None:
    left, right, bottom, top = where.window
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel=axis_label(where.x), ylabel=axis_label(where.y))
    if where.periodic:
        ticks = np.linspace(left, right, 5)
        names = [f"{t:.0f}".replace("-", "−") for t in ticks] if right > 10.0 else ["−π", "−π/2", "0", "π/2", "π"]
        axes.set_xticks(ticks, names)
        axes.set_yticks(ticks, names)
        axes.axhline(0.0, color=GRID, linewidth=0.6, zorder=0.5)
        axes.axvline(0.0, color=GRID, linewidth=0.6, zorder=0.5)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(INK)
        spine.set_linewidth(0.6)
