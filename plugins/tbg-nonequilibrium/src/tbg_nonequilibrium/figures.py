"""The plots of ``tbg thermo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.report import plotting as p
from tbg_core.report.blocks import Figure
from tbg_nonequilibrium.landscape import phase

if TYPE_CHECKING:
    from tbg_nonequilibrium.study import Direction, Study

_LINES = (p.REWEIGHTED, p.REFERENCE, p.PROPOSAL, p.BAD, p.MUTED)


def along_time(d: Direction) -> Figure:
    """Mean entropies of system, environment and both along a process."""
    drawing, axes = p.new_plot()
    clock = np.abs(d.along.times - d.along.times[0])
    for name, colour in (("system", p.PROPOSAL), ("environment", p.REFERENCE), ("total", p.REWEIGHTED)):
        values, error = getattr(d.along, name), getattr(d.along, f"{name}_err")
        axes.plot(clock, values, color=colour, label=name)
        axes.fill_between(clock, values - 2 * error, values + 2 * error, color=colour, alpha=0.2, linewidth=0)
    axes.axhline(0.0, color=p.GRID, zorder=0)
    axes.set(xlabel="time of the process", ylabel="mean entropy gained / k")
    p.legend_above(axes)
    return Figure(p.to_svg(drawing, f"entropy-{d.name}", f"Mean entropies along the {d.name} process"), d.name)


def distribution(d: Direction) -> Figure:
    """Histogram of dS_tot."""
    drawing, axes = p.new_plot()
    low, high = np.percentile(d.total, [0.1, 99.9])
    axes.hist(d.total, bins=60, range=(low, high), density=True, color=p.REWEIGHTED, alpha=0.6)
    axes.axvline(0.0, color=p.INK, linewidth=0.8)
    axes.set(xlabel="total entropy of a trajectory / k", ylabel="density")
    return Figure(p.to_svg(drawing, f"total-{d.name}", f"Total entropy of {d.name} trajectories"), d.name)


def detailed(d: Direction) -> Figure:
    """Measured log ratios against those of the theorem."""
    drawing, axes = p.new_plot()
    t = d.detailed
    axes.errorbar(t.expected, t.log_ratio, 2 * t.log_ratio_err, fmt="o", markersize=3, color=p.REWEIGHTED)
    if len(t.expected):
        ends = [float(t.expected.min()), float(t.expected.max())]
        axes.plot(ends, ends, color=p.REFERENCE, linewidth=1.0)
    axes.set(xlabel="theorem", ylabel="measured ln ratio")
    return Figure(p.to_svg(drawing, f"detailed-{d.name}", f"Detailed theorem, {d.name} process"), d.name)


def rates(study: Study) -> Figure:
    """Production and fluxes along the forward clock."""
    drawing, axes = p.new_plot()
    r = study.rates
    for name, label, colour in (
        ("production", "production", p.REWEIGHTED),
        ("flux", "flux, forward", p.REFERENCE),
        ("flux_reverse", "flux, reverse", p.PROPOSAL),
    ):
        axes.errorbar(
            r.times, getattr(r, name), 2 * getattr(r, f"{name}_err"), color=colour, label=label, linewidth=1.4
        )
    axes.axhline(0.0, color=p.GRID, zorder=0)
    if np.isfinite(study.speciation):
        axes.axvline(study.speciation, color=p.MUTED, linewidth=0.8, linestyle=":")
    axes.set(xlabel="time t of the forward process", ylabel="rate / k", xscale="log")
    p.legend_above(axes, tight=True)
    return Figure(p.to_svg(drawing, "rates", "Rates of entropy along time"), "Rates")


def landscape(study: Study) -> Figure:
    """U(x, t) in one dimension at several times."""
    drawing, axes = p.new_plot()
    assert study.axis is not None  # noqa: S101 - only asked for with one
    for (t, u), colour in zip(study.landscape.items(), _LINES, strict=False):
        axes.plot(study.axis, u, color=colour, label=f"t = {t:g}")
    inside = np.concatenate(list(study.landscape.values()))
    axes.set(xlabel="x", ylabel="U(x, t) - U(0, t)", ylim=(inside.min() - 0.2, min(6.0, inside.max() + 0.2)))
    p.legend_above(axes, tight=True)
    return Figure(p.to_svg(drawing, "landscape", "Potential of generation at several times"), "Potential of generation")


def phases(study: Study) -> Figure:
    """Where in (mu, s) symmetry breaks, and how; the mixture at hand is marked."""
    drawing, axes = p.new_plot()
    mu, s = np.linspace(0.02, 5, 120), np.linspace(0.02, 2, 100)
    number = {"no breaking": 0.0, "stable breaking": 1.0, "unstable breaking": 2.0}
    grid = np.array([[number[phase(float(m), float(w))] for m in mu] for w in s])
    axes.contourf(mu, s, grid, levels=[-0.5, 0.5, 1.5, 2.5], colors=[p.GRID, p.REFERENCE, p.PROPOSAL], alpha=0.5)
    axes.plot([study.known["mu"]], [study.known["s"]], "o", color=p.INK)
    axes.set(xlabel="mu", ylabel="s")
    return Figure(
        p.to_svg(drawing, "phases", "Phase diagram of symmetry breaking"),
        "Phases",
        "Grey: no breaking; then stable breaking; above s = sqrt 2 unstable breaking. The dot is this mixture.",
    )


def collapse(study: Study, name: str, label: str) -> Figure:
    """V, V' or V'' of the Franz-Parisi potential."""
    drawing, axes = p.new_plot()
    error = {"v": "v_err", "first": "first_err", "second": "second_err"}[name]
    for f, colour in zip(study.collapse, _LINES, strict=False):
        values = getattr(f, name)
        axes.plot(f.q, values, color=colour, label=f"t = {f.t:g}")
        axes.fill_between(
            f.q, values - 2 * getattr(f, error), values + 2 * getattr(f, error), color=colour, alpha=0.2, linewidth=0
        )
    axes.set(xlabel="squared distance q", ylabel=label, yscale="log" if name == "v" else "symlog")
    p.legend_above(axes, tight=True)
    return Figure(p.to_svg(drawing, f"collapse-{name}", f"Franz-Parisi potential: {label}"), label)
