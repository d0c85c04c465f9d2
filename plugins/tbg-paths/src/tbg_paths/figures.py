"""The drawings of the report."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.report.blocks import Figure
from tbg_core.report.labels import axis_label
from tbg_core.report.plotting import (
    FREE_ENERGY,
    INK,
    MUTED,
    PROPOSAL,
    REFERENCE,
    REWEIGHTED,
    legend_above,
    new_plot,
    to_svg,
)
from tbg_paths.measures import over_chains

if TYPE_CHECKING:
    from tbg_paths.analysis import Analysis

_COLOURS: Final = (PROPOSAL, REWEIGHTED, REFERENCE, INK, MUTED)
_BINS: Final = 60


def plane(analysis: Analysis, name: str) -> Figure:
    """Density of the frames of paths over the plane of the two observables."""
    drawing, axes = new_plot(4.4, 3.6)
    every = np.concatenate([e.cvs.reshape(-1, 2) for e in analysis.ensembles.values()])
    edges = [_edges(every[:, i], analysis.cvs[i].period) for i in range(2)]
    frames = analysis.ensembles[name].cvs.reshape(-1, 2)
    same = analysis.settings.cvs[0] == analysis.settings.cvs[1]
    if same:  # one coordinate: time along the path takes the place of the second
        length = analysis.settings.frames
        edges[1] = np.linspace(0.0, length * analysis.settings.timestep, min(length, _BINS) + 1)
        times = np.tile(np.arange(length) * analysis.settings.timestep, len(frames) // length)
        frames = np.stack([frames[:, 0], times], axis=1)
    counts, *_ = np.histogram2d(frames[:, 0], frames[:, 1], bins=edges)
    shown = np.full(counts.shape, np.nan)
    shown[counts > 0] = -np.log(counts[counts > 0] / counts.max())
    axes.pcolormesh(edges[0], edges[1], shown.T, cmap=FREE_ENERGY, rasterized=True)
    if analysis.committor is not None and not same:
        half = analysis.committor_cvs[analysis.committor.at_half]
        axes.plot(half[:, 0], half[:, 1], "o", color=INK, markerfacecolor="none", markersize=4.5)
    axes.set_xlabel(axis_label(analysis.cvs[0]))
    axes.set_ylabel("time along the path" if same else axis_label(analysis.cvs[1]))
    label = f"Density of paths sampled by {name}."
    return Figure(to_svg(drawing, f"plane-{_slug(name)}", label), name)


def transition_times(analysis: Analysis, seed: int) -> Figure:
    """Distributions of the transition time."""
    frames, h = analysis.settings.frames, analysis.settings.timestep
    edges = np.arange(0, frames + 1, max(1, frames // 25)) + 0.5
    drawing, axes = new_plot()
    for colour, (name, ensemble) in zip(_COLOURS, analysis.ensembles.items(), strict=False):
        _with_errors(axes, edges * h, ensemble.passages.transition * h, colour, name, seed)
    if analysis.exact is not None and analysis.exact.nodes.shape[1] == 1:
        joint, apart = analysis.exact.passages(frames), np.subtract.outer(np.arange(frames), np.arange(frames))
        density = [joint[(-apart >= low) & (-apart < high)].sum() for low, high in pairwise(edges)]
        axes.plot(0.5 * (edges[1:] + edges[:-1]) * h, np.array(density) / np.diff(edges * h), "--", color=INK)
    unit = "ps" if analysis.settings.dynamics == "langevin" else "units of time"
    axes.set_xlabel(f"transition time / {unit}")
    axes.set_ylabel("density")
    legend_above(axes)
    return Figure(to_svg(drawing, "transition-times", "Distributions of the transition time."), "Transition time")


def middle(analysis: Analysis, seed: int) -> Figure:
    """Distribution of the first observable at the frame in the middle of the path."""
    at = analysis.settings.frames // 2
    values = {name: e.cvs[:, :, at, 0] for name, e in analysis.ensembles.items()}
    edges = np.linspace(min(v.min() for v in values.values()), max(v.max() for v in values.values()) + 1e-9, 31)
    drawing, axes = new_plot()
    for colour, (name, found) in zip(_COLOURS, values.items(), strict=False):
        _with_errors(axes, edges, found, colour, name, seed)
    if analysis.exact is not None:
        first = analysis.cvs[0](analysis.exact.nodes)
        nodes = np.linspace(edges[0], edges[-1], 16)
        density, _ = np.histogram(first, nodes, weights=analysis.exact.marginals(analysis.settings.frames)[at])
        axes.plot(0.5 * (nodes[1:] + nodes[:-1]), density / np.diff(nodes), "--", color=INK)
    axes.set_xlabel(axis_label(analysis.cvs[0]))
    axes.set_ylabel("density")
    legend_above(axes)
    return Figure(to_svg(drawing, "middle", "Distribution at the middle frame."), "The middle frame of paths")


def committor(analysis: Analysis, which: int) -> Figure:
    """Committors of frames of paths along one of the observables."""
    assert analysis.committor is not None  # noqa: S101 - the section is made only then
    drawing, axes = new_plot()
    along, q = analysis.committor_cvs[:, which], analysis.committor.value
    half = analysis.committor.at_half
    axes.plot(along, q, "o", color=MUTED, markersize=3.5)
    axes.plot(along[half], q[half], "o", color=REWEIGHTED, markersize=4.5)
    if analysis.exact_committor is not None:
        order = np.argsort(along)
        line = "--" if analysis.exact is not None and analysis.exact.nodes.shape[1] == 1 else "x"
        axes.plot(along[order], analysis.exact_committor[order], line, color=INK, markersize=4, label="exact")
        legend_above(axes)
    axes.set_xlabel(axis_label(analysis.cvs[which]))
    axes.set_ylabel("probability to reach B first")
    return Figure(to_svg(drawing, f"committor-{which}", "Committor of frames of paths."), "Committor")


def _with_errors(axes: Any, edges: np.ndarray, values: np.ndarray, colour: str, name: str, seed: int) -> None:
    """A density of values [C, S] with its error over chains."""
    counts = np.stack([np.histogram(row, edges, density=True)[0] for row in values])
    density, error = over_chains(_mean_over_chains, np.nan_to_num(counts), seed=seed)
    centres = 0.5 * (edges[1:] + edges[:-1])
    axes.errorbar(centres, density, error, color=colour, label=name, fmt="o-", markersize=2.5, linewidth=1.0)


def _mean_over_chains(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows.mean(axis=0))


def _edges(values: np.ndarray, period: float | None) -> np.ndarray:
    if period is not None:
        return np.linspace(-period / 2, period / 2, _BINS + 1)
    low, high = np.quantile(values, (0.0005, 0.9995))
    margin = 0.05 * (high - low) + 1e-9
    return np.linspace(low - margin, high + margin, _BINS + 1)


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
