"""The samples with the largest weights: numbers, and what they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.molecule import Molecule
from tbg_core.report import sticks
from tbg_core.report.blocks import Block, Figure, Figures, Table
from tbg_core.report.labels import axis_label
from tbg_core.report.numbers import percent
from tbg_core.report.sections.conformations import MAX_ATOMS, MAX_VALUES, skeleton
from tbg_core.report.superposition import mean_structure, superposed

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData

SHOWN: Final = 5
_FOR_THE_VIEW: Final = 40


def heaviest(run: RunData) -> list[Block]:
    """A table, and pictures where the system is a molecule."""
    cloud = run.clouds[1]
    order = np.argsort(cloud.weights)[::-1]
    top = order[: min(SHOWN, int(np.count_nonzero(cloud.weights)))]
    blocks: list[Block] = []
    molecule = run.ensemble.system
    if isinstance(molecule, Molecule) and molecule.n_atoms <= MAX_ATOMS:
        atoms = skeleton(molecule)
        near = order[:_FOR_THE_VIEW]
        target = mean_structure(cloud.positions[near][:, atoms].astype(np.float64), np.ones(len(near)))
        x = superposed(cloud.positions[top], atoms, target)
        window = sticks.extent(x)
        pictures = tuple(
            Figure(
                sticks.draw(molecule, x[[k]], np.ones(1), window, f"conformation of sample {cloud.rows[row]}", 2.0),
                f"{percent(float(cloud.shares[row]))}",
                f"sample {cloud.rows[row]:,}",
            )
            for k, row in enumerate(top)
        )
        blocks.append(
            Figures(pictures, "The heaviest samples: conformation and share of the total weight.", small=True)
        )
    blocks.append(_table(run, top))
    return blocks


def _table(run: RunData, top: np.ndarray) -> Table:
    ensemble, cloud = run.ensemble, run.clouds[1]
    columns = ["Heaviest samples", "Weight", f"U / {run.units.energy}", "log q", "error of log q"]
    observables = run.observables[:MAX_VALUES]
    columns += [axis_label(o) for o in observables]
    energies = np.array([ensemble.reduced_energy[cloud.rows[row]] for row in top]) * run.energy_factor
    rows = []
    for row, energy in zip(top, energies, strict=True):
        sample = cloud.rows[row]
        cells = [f"sample {sample:,}", percent(float(cloud.shares[row])), f"{energy:.2f}"]
        cells += [f"{ensemble.log_q[sample]:.2f}", f"{ensemble.log_q_err[sample]:.2g}"]
        cells += [f"{cloud.evaluate(o)[row]:.3g}" for o in observables]
        rows.append(tuple(cell.replace("-", "−") for cell in cells))
    return Table(tuple(columns), tuple(rows))
