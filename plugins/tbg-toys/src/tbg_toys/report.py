"""The report of a run on a toy: what is exact beside what was estimated, and the samples on the potential."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from tbg_core.registry import ReportSection
from tbg_core.report.exact import exact_table
from tbg_core.report.plotting import FREE_ENERGY, new_plot, to_svg
from tbg_toys.landscape import draw_landscape
from tbg_toys.lookup import energy_of, find_toy, toy_target

if TYPE_CHECKING:
    from tbg_core.ensemble import Ensemble
    from tbg_core.ensemble.estimate import Estimate
    from tbg_toys.target import ToyTarget

_SHOWN = 1500


def toy_sections(ensemble: Ensemble) -> list[ReportSection]:
    """One section for a run on a toy with the energy that belongs to it; none for anything else."""
    system = find_toy(ensemble.system.name)
    if system is None or system.key != ensemble.system.key or not ensemble.valid.any():
        return []
    if ensemble.provenance.get("energy") != energy_of(system.toy):
        return []
    target = toy_target(system, ensemble.temperature_K, ensemble.provenance.get("target", {}))
    return [
        ReportSection(
            "Exact values", str(exact_table(estimates(ensemble, target)) + _drawing(ensemble, target)), order=250
        )
    ]


def estimates(ensemble: Ensemble, target: ToyTarget) -> list[tuple[str, float, Estimate]]:
    """(What, exact value, estimate) of everything that is known exactly."""
    exact, first = target.reference_values, _first
    found = [("log Z", exact["log_z"], ensemble.log_z)]
    if "mean_energy" in exact:
        found.append(("mean of u / kT", exact["mean_energy"], ensemble.mean_energy(unit="kT")))
    found.append(("mean of x0", exact["mean_x0"], ensemble.expectation(first)))

    def square(x: np.ndarray) -> np.ndarray:
        return (first(x) - exact["mean_x0"]) ** 2

    found.append(("variance of x0", exact["variance_x0"], ensemble.expectation(square)))
    if "basin_free_energy_difference" in exact:

        def basin(x: np.ndarray) -> np.ndarray:
            import torch

            return target.basin(torch.from_numpy(np.asarray(x, dtype=np.float64))).numpy().astype(np.float64)

        difference = ensemble.free_energy(basin, (-0.5, 0.5), (0.5, 1.5))
        found.append(("F(basin 1) − F(basin 0) / kT", exact["basin_free_energy_difference"], difference))
    return found


def _first(x: np.ndarray) -> np.ndarray:
    return np.asarray(x[:, 0], dtype=np.float64)


def _drawing(ensemble: Ensemble, target: ToyTarget) -> Markup:
    shown = ensemble
    if ensemble.parent is None and ensemble.ess > 1:
        shown = ensemble.resample(seed=0, n=min(_SHOWN, max(1, int(ensemble.ess))))
    states = shown.positions[shown.valid].astype(np.float64)
    drawing, axes = new_plot(4.4, 3.6)
    draw_landscape(axes, target, ensemble.positions[ensemble.valid].astype(np.float64), FREE_ENERGY)
    if target.system.dim == 2:
        axes.plot(states[:, 0], states[:, 1], "o", markersize=1.8, color="white", alpha=0.8)
    name = "toy-landscape"
    text = f"{len(states)} reweighted samples on the potential of {target.system.name}"
    caption = Markup("<figcaption>{}. Dark: low; contours of 1 kT.</figcaption>").format(text)
    return Markup("<figure>") + to_svg(drawing, name, text) + caption + Markup("</figure>")
