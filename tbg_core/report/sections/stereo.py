"""Peptide bonds and stereocentres: which way round they are, as drawn and in the averages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.ensemble import Validity
from tbg_core.molecule import Molecule
from tbg_core.molecule.graph import adjacency_matrix, bond_cutoffs, bond_graphs, stereocentres
from tbg_core.molecule.handedness import handedness_signs
from tbg_core.report.blocks import Block, Figure, Figures, Paragraph, Section, Table
from tbg_core.report.labels import atoms_label, axis_label, name_of
from tbg_core.report.numbers import percent
from tbg_core.report.plotting import legend_above, new_plot, to_svg

if TYPE_CHECKING:
    from markupsafe import Markup

    from tbg_core.ensemble import Ensemble
    from tbg_core.report.clouds import Cloud, Measure
    from tbg_core.report.run_data import RunData

MAX_PLOTS: Final = 3
MAX_ROWS: Final = 24


class Cis:
    """1 where a peptide bond is cis, 0 where it is trans.

    Args:
        omega: The torsion.
    """

    unit = ""
    period: float | None = None

    def __init__(self, omega: Measure) -> None:
        self.name = f"cis {getattr(omega, 'name', '')}"
        self._omega = omega

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Indicator [n]."""
        quarter = 0.25 * float(getattr(self._omega, "period", 2.0 * math.pi))
        return (np.abs(self._omega(positions)) < quarter).astype(np.float64)


def build(run: RunData) -> Section | None:
    """Cis fractions and the hands of stereocentres; None for what has neither."""
    molecule = run.ensemble.system
    if not isinstance(molecule, Molecule) or not run.ensemble.valid.any():
        return None
    omegas = [o for o in run.observables if str(getattr(o, "name", "")).partition(":")[0] == "omega"]
    blocks: list[Block] = []
    if omegas:
        blocks += _peptide_bonds(run, omegas)
    centres = stereocentres(molecule.elements, molecule.neighbours)
    if centres:
        blocks += _hands(run.ensemble, molecule, centres)
    return Section("stereo", "Peptide bonds and chirality", tuple(blocks), order=380) if blocks else None


def _peptide_bonds(run: RunData, omegas: list[Measure]) -> list[Block]:
    figures = tuple(
        Figure(_plot(omega, run.clouds, f"omega-{i}"), name_of(omega)) for i, omega in enumerate(omegas[:MAX_PLOTS])
    )
    columns = ["Peptide bond, cis"] + [cloud.label for cloud in run.clouds]
    rows = []
    for omega in omegas[:MAX_ROWS]:
        cis = Cis(omega)
        cells = [name_of(omega)]
        for cloud in run.clouds:
            share = float(np.average(cloud.evaluate(cis), weights=cloud.weights))
            estimate = None
            if cloud.key == "reweighted":
                estimate = run.ensemble.expectation(cis)
            elif cloud.key == "reference" and run.reference is not None:
                estimate = run.reference.expectation(cis)
            cells.append(_share(share, None if estimate is None or not estimate.reliable else estimate.error))
        rows.append(tuple(cells))
    never = all(not cloud.evaluate(Cis(o)).any() for cloud in run.clouds for o in omegas)
    caption = "cis: |ω| below 90°. "
    caption += (
        "No conformation is cis: the averages hold within trans, whatever the share of cis may be."
        if never
        else "Cis and trans exchange in seconds, not in nanoseconds: a simulation keeps the share that it began with."
    )
    return [Figures(figures, caption), Table(tuple(columns), tuple(rows))]


def _share(share: float, error: float | None) -> str:
    if error is None or error == 0.0 or not math.isfinite(error):
        return percent(share)
    return f"{100.0 * share:.2g} ± {100.0 * error:.1g} %"


def _plot(omega: Measure, clouds: tuple[Cloud, ...], name: str) -> Markup:
    """Around 180 degrees, where peptide bonds are."""
    period = float(getattr(omega, "period", 360.0))
    trans_only = not any(cloud.evaluate(Cis(omega)).any() for cloud in clouds)
    low, high = (0.25 * period, 0.75 * period) if trans_only else (0.0, period)
    edges = np.linspace(low, high, 46)
    drawing, axes = new_plot(3.3, 2.2)
    for cloud in clouds:
        heights, _ = np.histogram(cloud.evaluate(omega) % period, bins=edges, weights=cloud.shares)
        width = 1.8 if cloud.key == "reweighted" else 1.3
        axes.stairs(heights, edges, color=cloud.colour, label=cloud.label, linewidth=width)
    axes.set(xlabel=axis_label(omega), xlim=(low, high), ylabel="density")
    axes.set_xticks(np.linspace(low, high, 5))
    axes.set_yticks([])
    axes.set_ylim(bottom=0.0)
    legend_above(axes, tight=True)
    return to_svg(drawing, name, f"distribution of {name_of(omega)}")


def _hands(ensemble: Ensemble, molecule: Molecule, centres: tuple[int, ...]) -> list[Block]:
    right, known = as_drawn(ensemble, molecule, centres)
    mirrored = ensemble.mirrored
    n = ensemble.attempted
    rows = []
    for column, centre in enumerate(centres[:MAX_ROWS]):
        same = int(right[known, column].sum())
        other = int(known.sum()) - same
        rows.append(
            (
                atoms_label(molecule, [centre]),
                *(f"{count:,} ({percent(count / n)})" for count in (same, other, n - int(known.sum()))),
            )
        )
    text = (
        "Hands of the stereocentres in all attempted samples, beside that of the molecule asked for. Unknown are "
        "samples without a number or with other bonds, whose centres have no hand."
    )
    if mirrored is not None and mirrored.any():
        share = percent(float(mirrored.sum()) / n)
        text += (
            f" The model draws both mirror images alike: {int(mirrored.sum()):,} samples ({share}) were mirrored as a "
            "whole, which log q takes into account."
        )
    elif mirrored is None:
        text += " Whether a sample was mirrored was not recorded: valid samples are counted as they are stored."
    table = Table(("Stereocentre as drawn", "hand of the molecule", "other hand", "unknown"), tuple(rows))
    return [Paragraph(text), table]


def as_drawn(ensemble: Ensemble, molecule: Molecule, centres: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Hands before folding.

    Returns:
        Whether each centre [C] of each attempted sample has the hand of the molecule [n, C], and whether that
        is known [n].
    """
    labels = [label for label in molecule.handedness if label.centre in set(centres)]
    x = np.nan_to_num(ensemble.positions.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    right = handedness_signs(x, labels)
    mirrored = ensemble.mirrored
    if mirrored is not None:
        right ^= mirrored[:, None]
    known = ensemble.valid.copy()
    rejected = np.flatnonzero(ensemble.status == Validity.WRONG_HANDEDNESS)
    if len(rejected):
        # A label means something only where the bonds are those of the molecule without any relabelling.
        graphs = bond_graphs(x[rejected], bond_cutoffs(molecule.elements, molecule.bonds))
        known[rejected] = (graphs == adjacency_matrix(molecule.neighbours)).all(axis=(1, 2))
    known |= np.isin(ensemble.status, [Validity.NONFINITE_ENERGY, Validity.FILTERED])
    return right, known
