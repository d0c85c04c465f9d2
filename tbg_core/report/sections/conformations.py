"""What the molecule looks like: conformations drawn by weight, superposed, as pictures and to turn around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.molecule import Molecule
from tbg_core.randomness import generator
from tbg_core.report import sticks
from tbg_core.report.blocks import Figure, Figures, Section, Viewer
from tbg_core.report.labels import headline, with_unit
from tbg_core.report.numbers import percent
from tbg_core.report.superposition import mean_structure, superposed

if TYPE_CHECKING:
    from tbg_core.report.clouds import Cloud
    from tbg_core.report.run_data import RunData

MAX_CONFORMATIONS: Final = 40
MAX_ATOMS: Final = 6000
"""All conformations of one panel together; larger molecules are shown in fewer conformations."""

MAX_VALUES: Final = 4
_ANGSTROM_PER_NM: Final = 10.0


def build(run: RunData) -> Section | None:
    """Pictures side by side, and the viewer; None for what is no molecule, or has no valid sample."""
    molecule = run.ensemble.system
    if not isinstance(molecule, Molecule) or not run.ensemble.relative_weights.any():
        return None
    most = max(1, min(MAX_CONFORMATIONS, MAX_ATOMS // molecule.n_atoms))
    atoms = skeleton(molecule)
    weighted = run.clouds[1]
    heaviest = np.argsort(weighted.weights)[::-1][: 10 * most]
    target = mean_structure(weighted.positions[heaviest][:, atoms].astype(np.float64), weighted.weights[heaviest])
    drawn = [by_weight(cloud, most) for cloud in run.clouds]
    sets = [
        superposed(cloud.positions[rows], atoms, target) for cloud, (rows, _) in zip(run.clouds, drawn, strict=True)
    ]
    window = sticks.extent(*sets)
    figures = tuple(
        Figure(
            sticks.draw(molecule, x, times / times.sum(), window, f"{len(x)} conformations, superposed: {cloud.label}"),
            headline(cloud.label),
        )
        for cloud, x, (_, times) in zip(run.clouds, sets, drawn, strict=True)
    )
    caption = (
        f"{most} conformations each, drawn by weight and superposed on the heavy atoms that do not turn with a side "
        "chain; one that was drawn several times is darker, and thicker in 3-D. Carbon grey, nitrogen blue, "
        "oxygen red, sulphur yellow, hydrogen light grey."
    )
    groups = [
        _group(run, cloud, x, rows, times) for cloud, x, (rows, times) in zip(run.clouds, sets, drawn, strict=True)
    ]
    data = {
        "elements": list(molecule.elements),
        "colours": {e: sticks.element_colour(e) for e in sorted(set(molecule.elements))},
        "bonds": [list(bond) for bond in molecule.bonds],
        "sets": groups,
    }
    label = f"Conformations of {molecule.name} in three dimensions"
    return Section("conformations", "Conformations", (Figures(figures, caption), Viewer(data, label)), order=150)


def skeleton(molecule: Molecule) -> np.ndarray:
    """Atoms to superpose on [K]: the backbone of a peptide, the heavy atoms of anything else, all atoms of less."""
    names = {"N", "CA", "C", "O"}
    backbone = [i for i, name in enumerate(molecule.atom_names) if name in names]
    heavy = [i for i, element in enumerate(molecule.elements) if element != "H"]
    chosen = backbone if len(backbone) >= 4 else heavy if len(heavy) >= 3 else list(range(molecule.n_atoms))
    return np.array(chosen)


def by_weight(cloud: Cloud, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Systematic resampling: distinct indices [m <= n], the most frequent first, and how often each was drawn [m]."""
    offset = generator(0, "report", cloud.key).random()
    ticks = (np.arange(min(n, len(cloud))) + offset) / min(n, len(cloud))
    chosen = np.minimum(np.searchsorted(np.cumsum(cloud.shares), ticks, side="right"), len(cloud) - 1)
    rows, times = np.unique(chosen, return_counts=True)
    order = np.argsort(times, kind="stable")[::-1]
    return rows[order], times[order]


def _group(run: RunData, cloud: Cloud, x: np.ndarray, rows: np.ndarray, times: np.ndarray) -> dict[str, Any]:
    """One set of conformations as the viewer reads it: Å, and a line about each."""
    observables = run.observables[:MAX_VALUES]
    lines = []
    for row in rows:
        where = "frame" if cloud.key == "reference" else "sample"
        parts = [f"{where} {cloud.rows[row]:,}"]
        if cloud.key == "reweighted":
            parts.append(f"weight {percent(float(cloud.shares[row]))}")
        parts += [with_unit(o, float(cloud.evaluate(o)[row])) for o in observables]
        lines.append(" · ".join(parts))
    return {
        "key": cloud.key,
        "label": cloud.label,
        "lines": lines,
        "times": times.tolist(),
        "positions": np.round(x * _ANGSTROM_PER_NM, 2).reshape(len(x), -1).tolist(),
    }
