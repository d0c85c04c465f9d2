"""``report.html`` of an exploration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_coarse.comparison import populations
from tbg_coarse.exploration import Grid
from tbg_coarse.pmf import PotentialOfMeanForce
from tbg_core.randomness import generator
from tbg_core.report.blocks import Block, Code, Figure, Figures, Paragraph, Section, Table
from tbg_core.report.numbers import ABSENT, fixed
from tbg_core.report.page import Head, render
from tbg_core.report.plotting import (
    FREE_ENERGY,
    GRID,
    MUTED,
    PROPOSAL,
    REFERENCE,
    REWEIGHTED,
    legend_above,
    new_plot,
    to_svg,
)
from tbg_core.storage.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tbg_coarse.coordinates import Coordinates
    from tbg_coarse.explore import Plan
    from tbg_coarse.rounds import State
    from tbg_coarse.run import Compared

PAGE: Final = "report.html"
_TOP: Final = 12.0
_DRAWN: Final = 12


def write_page(
    out: Path,
    plan: Plan,
    coordinates: Coordinates,
    rounds: Sequence[State],
    compared: Compared | None,
    metrics: dict[str, Any],
) -> None:
    """Writes the page of an exploration into its folder."""
    last = rounds[-1]
    draw = _curve if len(last.low) == 1 else _map
    sections = [
        Section("pmf", "Potential of mean force", tuple(draw(plan, coordinates, last, compared))),
        Section("labels", "Where free energies were measured", (_labels(coordinates, rounds), _table(metrics))),
    ]
    if compared is not None:
        sections.append(Section("cost", "Energies against error", tuple(_cost(compared))))
    sections.append(Section("reproduce", "Do it again", tuple(_again(plan, metrics))))
    write_text(out / PAGE, render(_head(plan, metrics), sections))


def _head(plan: Plan, metrics: dict[str, Any]) -> Head:
    spent, done = metrics["energy_evaluations"], metrics["converged"]
    tiles = [
        ("energies", f"{spent['total']:,}", f"{spent['labels']:,} for labels, {spent['training']:,} for training"),
        ("uncertainty of F", f"{metrics['deviation_by_population']:.2f} kT", "root mean square, by population"),
        ("effective draws of a label", f"{metrics['label_ess_median']:.1f} of {metrics['draws_per_label']}", "median"),
    ]
    if metrics.get("forward_kl") is not None:
        remark = f"noise of the reference {metrics['reference_floor']:.4f}"
        tiles.append(("forward KL from the reference", f"{metrics['forward_kl']:.4f}", remark))
    return Head(
        eyebrow="Potential of mean force by active learning",
        title=f"{plan.system.name}: {', '.join(metrics['cvs'])}",
        subtitle=f"energy {plan.energy}, {metrics['temperature_K']:g} K, seed {plan.seed}",
        reliable=done,
        label="NOTHING UNCERTAIN" if done else "NOT FINISHED",
        sentence=f"{len(metrics['rounds'])} rounds; ended because {metrics['stopped']}.",
        advice="" if done else "Go on with --resume and a larger --energy-budget.",
        tiles=tuple(tiles),
    )


def _curve(plan: Plan, coordinates: Coordinates, last: State, compared: Compared | None) -> list[Block]:
    """F along one coordinate, with its uncertainty, an ensemble, and the reference."""
    cells = len(last.free_energy)
    s = Grid(last.low, last.high, cells, coordinates.periodic).centres
    drawing, axes = new_plot(5.6, 3.4)
    zero = last.free_energy.min()
    f, d = last.free_energy - zero, last.deviation
    low, high = f - 2 * d, f + 2 * d
    axes.fill_between(s[:, 0], low, high, color=REWEIGHTED, alpha=0.2, linewidth=0, label="two standard deviations")
    for member in _ensemble(plan, last, s, coordinates) - zero:
        axes.plot(s[:, 0], member, color=MUTED, linewidth=0.4)
    axes.plot(s[:, 0], f, color=REWEIGHTED, label="F")
    shown = s[f < _TOP, 0]
    if compared is not None:
        reference, where = compared.reference, compared.reference.grid.centres[:, 0]
        known = reference.p > 0
        scale = populations(last, reference, periodic=coordinates.periodic)
        # Both on one zero: the lowest cell of the PMF.
        shift = -np.log(reference.p[np.argmax(scale)]) - f[np.argmin(np.abs(s[:, 0] - where[np.argmax(scale)]))]
        axes.plot(where[known], -np.log(reference.p[known]) - shift, ".", color=REFERENCE, label="reference")
    axes.set(ylim=(-0.5, _TOP), xlabel=coordinates.names[0], ylabel="F / kT")
    axes.set_xlim(shown.min(), shown.max())
    legend_above(axes)
    text = "F with its uncertainty; thin lines: an ensemble of functions drawn from the posterior."
    return [Figures((Figure(to_svg(drawing, "coarse-pmf", text)),), caption=text)]


def _ensemble(plan: Plan, last: State, s: np.ndarray, coordinates: Coordinates) -> np.ndarray:
    """Functions drawn from the posterior [n, cells]."""
    scale = np.ones(len(last.low)) if coordinates.periodic else _scale(last)
    good = last.labels.keep(np.flatnonzero(last.labels.ess >= plan.settings.least_ess))
    pmf = PotentialOfMeanForce(good if len(good) else last.labels, scale, periodic=coordinates.periodic)
    return pmf.draw(s, _DRAWN, generator(plan.seed, "coarse", "ensemble"))


def _scale(last: State) -> np.ndarray:
    return np.asarray(last.model["fine.extent"])


def _map(_: Plan, coordinates: Coordinates, last: State, compared: Compared | None) -> list[Block]:
    """F of two coordinates, its standard deviation, and the reference."""
    cells = round(len(last.free_energy) ** 0.5)
    f = last.free_energy - last.free_energy.min()
    axes_of = [
        np.linspace(lo, hi, cells, endpoint=False) + 0.5 * (hi - lo) / cells
        for lo, hi in zip(last.low, last.high, strict=True)
    ]
    figures = []
    deviation = np.where(f < _TOP, last.deviation, np.nan)
    panels = [("F", np.where(f < _TOP, f, np.nan), axes_of, _TOP), ("standard deviation of F", deviation, axes_of, 1.0)]
    if compared is not None:
        grid, p = compared.reference.grid, compared.reference.p
        with np.errstate(divide="ignore"):
            seen = np.where(p > 0, -np.log(p / p.max()), np.nan)
        where = [np.unique(grid.centres[:, k]) for k in range(2)]
        panels.insert(1, ("reference", seen, where, _TOP))
    for name, values, (a, b), top in panels:
        drawing, axes = new_plot(3.3, 2.9)
        _filled(axes, a, b, values.reshape(len(a), len(b)), top)
        axes.set(xlabel=coordinates.names[0], ylabel=coordinates.names[1])
        text = f"{name} / kT, from 0 (dark) to {top:g}"
        figures.append(Figure(to_svg(drawing, f"coarse-{name.split()[0].lower()}", text), title=name, caption=text))
    return [Figures(tuple(figures), caption="Blank: above 12 kT, or never seen.")]


def _filled(axes: Axes, a: np.ndarray, b: np.ndarray, values: np.ndarray, top: float) -> None:
    shown = np.ma.masked_invalid(np.minimum(values, top - 1e-9))
    axes.contourf(a, b, shown.T, levels=np.linspace(0.0, top, 13), cmap=FREE_ENERGY)


def _labels(coordinates: Coordinates, rounds: Sequence[State]) -> Block:
    """Labels coloured by the round that they were taken in."""
    labels = rounds[-1].labels
    ends = [len(state.labels) for state in rounds]
    taken = np.searchsorted(ends, np.arange(len(labels)), side="right")
    drawing, axes = new_plot(5.0, 3.4)
    s, f = labels.s, labels.free_energy - rounds[-1].free_energy.min()
    other = f if s.shape[1] == 1 else s[:, 1]
    dots = axes.scatter(s[:, 0], other, c=taken, s=7, cmap="viridis", linewidths=0)
    drawing.colorbar(dots, ax=axes, label="round")
    axes.set(xlabel=coordinates.names[0], ylabel="F / kT" if s.shape[1] == 1 else coordinates.names[1])
    if s.shape[1] == 1:
        axes.set_ylim(-0.5, 1.7 * _TOP)
    axes.grid(color=GRID)
    text = "Points whose free energy was measured, by round."
    return Figures((Figure(to_svg(drawing, "coarse-labels", text)),), caption=text)


def _table(metrics: dict[str, Any]) -> Block:
    trace = {entry["energies"]: entry["forward_kl"] for entry in metrics.get("trace", [])}
    rows = [
        (
            str(r["round"]),
            f"{r['energies']:,}",
            f"{r['labels']:,}",
            f"{r['walkers_lost']} of {r['walkers']}",
            fixed(r["deviation_by_population"], 3),
            fixed(trace[r["energies"]], 4) if trace.get(r["energies"]) is not None else ABSENT,
        )
        for r in metrics["rounds"]
    ]
    columns = ("round", "energies so far", "labels", "walkers lost", "uncertainty of F / kT", "forward KL")
    shift = metrics["clipping_shift_median"]
    left_out = (
        f"Training left out {metrics['left_out']:,} draws for an energy far above the others. Free energies are not "
        f"clipped; lowering the three largest weights of each would have raised their median by {shift:.2f} kT."
    )
    return Table(columns, tuple(rows), caption=left_out)


def _cost(compared: Compared) -> list[Block]:
    drawing, axes = new_plot(5.6, 3.4)
    if compared.dynamics is not None:
        for k, column in enumerate(compared.dynamics.divergence.T):
            axes.plot(compared.dynamics.energies, column, color=PROPOSAL, linewidth=0.7, label="" if k else "dynamics")
    axes.plot(
        compared.rounds.energies, compared.rounds.divergence, "o-", color=REWEIGHTED, markersize=3, label="rounds"
    )
    floor = compared.reference.floor
    axes.axhline(floor, color=REFERENCE, linestyle=":", label="noise of half the reference")
    axes.set(xscale="log", yscale="log", xlabel="energies", ylabel="forward KL / nats")
    legend_above(axes)
    text = (
        "Forward Kullback-Leibler divergence from the reference. Each walker of the dynamics is one simulation; its "
        "energies are those of heating and equilibration, too, and its histogram is smoothed as suits it best."
    )
    blocks: list[Block] = [Figures((Figure(to_svg(drawing, "coarse-cost", text)),), caption=text)]
    ratios = compared.ratios()
    if ratios:
        rows = tuple(
            (
                f"{r['forward_kl']:g}",
                f"{r['energies']:,.0f}",
                f"{r['walkers_that_reach']:.0f} of {r['walkers']:.0f}",
                ("" if r["walkers_that_reach"] == r["walkers"] else "more than ") + f"{r['ratio_mean']:.1f}",
                f"{r['ratio_least']:.1f} to {r['ratio_greatest']:.1f}",
            )
            for r in ratios
        )
        columns = (
            "forward KL below",
            "energies",
            "walkers that get there",
            "times as many by dynamics",
            "walkers from, to",
        )
        blocks.append(Table(columns, rows, caption="A walker that does not get there counts with all of its energies."))
    return blocks


def _again(plan: Plan, metrics: dict[str, Any]) -> list[Block]:
    names, kelvin = ",".join(plan.cvs), metrics["temperature_K"]
    energy = plan.energy if isinstance(plan.energy, str) else plan.energy["name"]
    name = plan.system.name
    return [
        Code(
            f"tbg explore --system {name} --cv {names} --energy {energy} --temperature {kelvin:g} "
            f"--energy-budget {plan.budget} --seed {plan.seed}"
        ),
        Paragraph("Full states by importance sampling, s from the PMF and the fine coordinates given s:"),
        Code(f"tbg sample --model coarse --checkpoint DIR/checkpoint --system {name} --energy {energy}"),
    ]
