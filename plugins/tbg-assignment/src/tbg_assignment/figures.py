"""The plots of ``tbg labels`` and of the report of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.report import plotting as p
from tbg_core.report.blocks import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tbg_assignment.judgement import Judgement

_COLOURS = (p.REWEIGHTED, p.REFERENCE, p.PROPOSAL, p.BAD, p.MUTED)


def calibration(j: Judgement) -> Figure:
    """Probabilities of the model against the exact ones."""
    drawing, axes = p.new_plot()
    known = np.isfinite(j.log_mu) & np.isfinite(j.found.log_p)
    x, y = j.log_mu[known], j.found.unbiased[known]
    axes.errorbar(x, y, 2 * j.found.log_p_err[known], fmt="o", markersize=2.5, linewidth=0.8, color=p.REWEIGHTED)
    if len(x):
        axes.plot([x.min(), x.max()], [x.min(), x.max()], color=p.REFERENCE, linewidth=1.0)
    axes.set(xlabel="log probability, exact", ylabel="log probability, model")
    name = f"calibration-{_slug(j)}"
    return Figure(p.to_svg(drawing, name, f"Model against exact probabilities of {j.system.name}"), j.system.name)


def maps(j: Judgement) -> tuple[Figure, Figure]:
    """Two variables: exact and model probabilities of all pairs of classes."""
    c = j.system.space.classes
    exact, model = np.zeros((c, c)), np.zeros((c, c))
    rows, columns = j.found.labels.T
    exact[rows, columns] = np.exp(j.log_mu)
    model[rows, columns] = np.exp(j.found.log_p)
    top = float(exact.max())
    return tuple(_map(t, top, f"{name}-{_slug(j)}", name) for name, t in (("exact", exact), ("model", model)))  # type: ignore[return-value]


def _map(table: NDArray[np.float64], top: float, name: str, title: str) -> Figure:
    drawing, axes = p.new_plot(3.2, 3.2)
    axes.imshow(top - table.T, origin="lower", cmap=p.FREE_ENERGY, vmin=0.0, vmax=top, interpolation="nearest")
    axes.set(xlabel="class of variable 0", ylabel="class of variable 1")
    axes.grid(visible=False)
    return Figure(p.to_svg(drawing, name, f"{title}: probabilities of pairs of classes"), title)


def scaling(found: Sequence[Judgement]) -> Figure:
    """KL(mu || model) against the number of classes, one line for each family of systems."""
    drawing, axes = p.new_plot()
    for (family, members), colour in zip(families(found).items(), _COLOURS, strict=False):
        classes = [j.system.space.classes for j in members]
        values, errors = zip(*(j.divergence for j in members), strict=True)
        axes.errorbar(classes, values, 2 * np.array(errors), fmt="o-", markersize=3, color=colour, label=family)
    axes.axhline(0.0, color=p.GRID, zorder=0)
    axes.set(xlabel="classes", ylabel="KL(exact || model) / nats", xscale="log")
    p.legend_above(axes, tight=True)
    return Figure(p.to_svg(drawing, "scaling", "Divergence against the number of classes"), "Classes")


def families(found: Sequence[Judgement]) -> dict[str, list[Judgement]]:
    """Judgements of systems that differ in the number of classes alone, with a known divergence."""
    groups: dict[str, list[Judgement]] = {}
    for j in found:
        if np.isfinite(j.divergence[0]):
            groups.setdefault(f"{j.system.name.split(':')[0]}, n = {j.system.space.variables}", []).append(j)
    return groups


def _slug(j: Judgement) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in j.system.name)


def marginals(exact: NDArray[np.float64], weighted: NDArray[np.float64], raw: NDArray[np.float64]) -> Figure:
    """Probabilities of all classes of all variables [n, c], estimates against exact values."""
    drawing, axes = p.new_plot()
    axes.plot([0, 1], [0, 1], color=p.REFERENCE, linewidth=1.0)
    axes.plot(exact.ravel(), raw.ravel(), "o", markersize=4, color=p.PROPOSAL, alpha=0.5, label="proposal")
    axes.plot(exact.ravel(), weighted.ravel(), "o", markersize=2.5, color=p.REWEIGHTED, label="reweighted")
    top = 1.05 * float(max(exact.max(), weighted.max(), raw.max()))
    axes.set(xlabel="exact probability of a class", ylabel="estimate", xlim=(0, top), ylim=(0, top))
    p.legend_above(axes)
    return Figure(p.to_svg(drawing, "label-marginals", "Estimated against exact probabilities of single classes"))
