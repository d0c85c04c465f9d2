"""Bonds, angles and distances: the ones that the samples get worst come first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.molecule import Molecule
from tbg_core.report.blocks import Block, Figure, Figures, Paragraph, Section, Table
from tbg_core.report.distances import Coordinates, distance_by_chance, internal_coordinates, scaled_distance
from tbg_core.report.labels import atoms_label, unit_symbol
from tbg_core.report.numbers import ABSENT
from tbg_core.report.plotting import REFERENCE, legend_above, new_plot, to_svg
from tbg_core.units import unit_factor

if TYPE_CHECKING:
    from markupsafe import Markup

    from tbg_core.report.clouds import Cloud
    from tbg_core.report.run_data import RunData

PLOTTED: Final = 3
LISTED: Final = 5
MAX_STATES: Final = 5000
"""States of each cloud that are looked at; of more, as many are taken evenly."""

_PLURAL: Final = {"bond": "bonds", "angle": "angles", "distance": "distances"}


@dataclass(frozen=True)
class Deviation:
    """How far one coordinate is off.

    Attributes:
        label: Its atoms.
        index: Position among those of its kind.
        distances: Scaled distance of the proposal, and of the reweighted samples, from the standard.
        scale: Width of the standard, its unit of distance, nm or radians.
    """

    label: str
    index: int
    distances: tuple[float, ...]
    scale: float


def build(run: RunData) -> Section | None:
    """Per kind the worst distributions and a table; None for what is no molecule or has no valid sample."""
    molecule = run.ensemble.system
    if not isinstance(molecule, Molecule) or not run.ensemble.relative_weights.any():
        return None
    clouds = tuple(cloud.thinned(MAX_STATES) for cloud in run.clouds)
    blocks: list[Block] = [Paragraph(_explanation(run))]
    for coordinates in internal_coordinates(molecule):
        found = sorted(_deviations(molecule, coordinates, clouds), key=lambda d: -_severity(d))
        unit = run.units.of("rad" if coordinates.kind == "angle" else "nm")
        factor = unit_factor("rad" if coordinates.kind == "angle" else "nm", unit)
        figures = tuple(
            Figure(_plot(coordinates, d, clouds, factor, unit, f"{coordinates.kind}-{i}"), d.label)
            for i, d in enumerate(found[:PLOTTED])
        )
        summary = _summary(coordinates, found, reference=run.reference is not None)
        blocks.append(Figures(figures, summary, title=_PLURAL[coordinates.kind].capitalize()))
        blocks.append(_table(run, coordinates, found[:LISTED], clouds, factor, unit))
    return Section("geometry", "Bonds, angles, distances", tuple(blocks), order=350)


def _explanation(run: RunData) -> str:
    standard = f"the {run.reference_name}" if run.reference is not None else "the reweighted samples"
    subject = "the proposal and the reweighted samples" if run.reference is not None else "the proposal"
    return (
        f"The measure is the Wasserstein-1 distance W₁ of {subject} from {standard}, in units of the standard "
        f"deviation of {standard}: 1 is a shift by one width. Chance: what two samples of these sizes from one "
        "distribution would show on average. The worst come first; distances are those of heavy atoms three or more "
        "bonds apart."
    )


def _deviations(molecule: Molecule, coordinates: Coordinates, clouds: tuple[Cloud, ...]) -> list[Deviation]:
    standard, subjects = clouds[-1], clouds[:-1]
    found = []
    for index, atoms in enumerate(coordinates.atoms):
        values = coordinates.values(index, standard.positions)
        mean = float(np.average(values, weights=standard.weights))
        scale = math.sqrt(float(np.average((values - mean) ** 2, weights=standard.weights))) or 1e-9
        distances = tuple(
            scaled_distance(coordinates.values(index, c.positions), c.weights, values, standard.weights, scale)
            for c in subjects
        )
        found.append(Deviation(atoms_label(molecule, atoms), index, distances, scale))
    return found


def _severity(deviation: Deviation) -> float:
    """The last subject decides: with a reference that is the reweighted samples, without it the proposal."""
    return deviation.distances[-1] if math.isfinite(deviation.distances[-1]) else -1.0


def _summary(coordinates: Coordinates, found: list[Deviation], *, reference: bool) -> str:
    distances = [d.distances[-1] for d in found if math.isfinite(d.distances[-1])]
    number = f"{len(found)} {_PLURAL[coordinates.kind]}"
    if coordinates.total > len(found):
        number = f"{len(found)} of {coordinates.total:,} {_PLURAL[coordinates.kind]}"
    subject = "reweighted" if reference else "proposal"
    return f"{number}, {subject}: median distance {np.median(distances):.2f}, largest {max(distances):.2f}."


def _plot(
    coordinates: Coordinates, deviation: Deviation, clouds: tuple[Cloud, ...], factor: float, unit: str, name: str
) -> Markup:
    values = [coordinates.values(deviation.index, c.positions) * factor for c in clouds]
    limits = [_range(v, c.weights) for v, c in zip(values, clouds, strict=True)]
    low, high = min(a for a, _ in limits[-2:]), max(b for _, b in limits[-2:])
    margin = 0.25 * (high - low)
    low, high = max(min(limits[0][0], low), low - margin), min(max(limits[0][1], high), high + margin)
    low, high = low - 0.04 * (high - low), high + 0.04 * (high - low)
    edges = np.linspace(low, high, int(np.clip(2.0 * np.sqrt(min(c.effective for c in clouds)), 16, 48)) + 1)
    drawing, axes = new_plot(3.3, 2.2)
    for cloud, v in zip(clouds, values, strict=True):
        heights, _ = np.histogram(v, bins=edges, weights=cloud.shares)
        main = cloud.key == "reweighted"
        if main:
            axes.stairs(heights, edges, color=cloud.colour, fill=True, alpha=0.25, linewidth=0)
        width = 1.8 if main else 1.3
        axes.stairs(heights, edges, color=cloud.colour, linewidth=width, label=cloud.label, zorder=2.5 if main else 2.0)
    axes.set(xlabel=f"{coordinates.kind} / {unit_symbol(unit)}", xlim=(low, high), ylabel="density")
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=5)
    axes.set_ylim(bottom=0.0)
    legend_above(axes, tight=True)
    return to_svg(drawing, name, f"distribution of the {coordinates.kind} {deviation.label}")


def _range(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Where all but 0.4 % of the weight lies."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    low, high = values[order][np.searchsorted(cumulative, np.array([0.002, 0.998]) * cumulative[-1])]
    return float(low), float(high)


def _table(
    run: RunData,
    coordinates: Coordinates,
    found: list[Deviation],
    clouds: tuple[Cloud, ...],
    factor: float,
    unit: str,
) -> Table:
    shown = unit_symbol(unit)
    columns = [f"{coordinates.kind.capitalize()} / {shown}"]
    columns += [c.label for c in clouds]
    columns += [f"W₁ {c.label}" for c in clouds[:-1]] + ["by chance"]
    rows = []
    for deviation in found:
        cells = [deviation.label]
        for cloud in clouds:
            values = coordinates.values(deviation.index, cloud.positions) * factor
            mean = float(np.average(values, weights=cloud.weights))
            width = math.sqrt(float(np.average((values - mean) ** 2, weights=cloud.weights)))
            digits = max(0, 1 - math.floor(math.log10(width))) if width > 0.0 else 3
            cells.append(f"{mean:.{digits}f} ± {width:.{digits}f}")
        cells += [f"{d:.2f}" if math.isfinite(d) else ABSENT for d in deviation.distances]
        cells.append(f"{_chance(run, coordinates, deviation, clouds):.2f}")
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows), "Mean ± standard deviation, and distances W₁.")


def _chance(run: RunData, coordinates: Coordinates, deviation: Deviation, clouds: tuple[Cloud, ...]) -> float:
    """By chance, with the correlated frames of a simulation counted as the independent blocks they are worth."""
    standard, subject = clouds[-1], clouds[-2]
    values = coordinates.values(deviation.index, standard.positions)
    independent = standard.effective
    if run.reference is not None and standard.colour == REFERENCE:
        series = coordinates.values(deviation.index, run.reference.positions)
        # Blocks are five correlation times long, and two correlation times are one independent value.
        independent = min(len(series), 2.5 * len(np.unique(run.reference.groups(series, None))))
    return distance_by_chance(values, standard.weights, subject.effective, independent, deviation.scale)
