"""How far apart the distributions of internal coordinates are, beside what chance alone would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import wasserstein_distance

from tbg_core.molecule.graph import topological_distances
from tbg_core.observables.geometry import angle, distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.molecule import Molecule

MAX_COORDINATES: Final = 400
"""Coordinates of one kind; of more, as many are taken evenly."""


@dataclass(frozen=True)
class Coordinates:
    """Internal coordinates of one kind.

    Attributes:
        kind: ``"bond"``, ``"angle"`` or ``"distance"``.
        atoms: Two or three atoms of each.
        total: How many the molecule has; more than ``len(atoms)`` where some were left out.
    """

    kind: str
    atoms: tuple[tuple[int, ...], ...]
    total: int

    def values(self, index: int, x: np.ndarray) -> np.ndarray:
        """One of them [n], nm or radians, for positions x [n, N, 3]."""
        atoms = self.atoms[index]
        if len(atoms) == 3:
            return angle(x, atoms[0], atoms[1], atoms[2])
        return distance(x, atoms[0], atoms[1])


def internal_coordinates(molecule: Molecule) -> tuple[Coordinates, ...]:
    """Bonds, angles, and distances between heavy atoms that are three or more bonds apart."""
    near = molecule.neighbours
    angles = [
        (row[a], centre, row[b])
        for centre, row in enumerate(near)
        for a in range(len(row))
        for b in range(a + 1, len(row))
    ]
    heavy = [i for i, element in enumerate(molecule.elements) if element != "H"]
    steps = topological_distances(near)
    far = [(i, j) for n, i in enumerate(heavy) for j in heavy[n + 1 :] if steps[i, j] < 0 or steps[i, j] >= 3]
    return tuple(
        Coordinates(kind, _evenly(found), len(found))
        for kind, found in (("bond", molecule.bonds), ("angle", angles), ("distance", far))
        if found
    )


def _evenly(found: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    if len(found) <= MAX_COORDINATES:
        return tuple(found)
    return tuple(found[i] for i in np.linspace(0, len(found) - 1, MAX_COORDINATES).round().astype(int))


def scaled_distance(x: np.ndarray, weights_x: np.ndarray, y: np.ndarray, weights_y: np.ndarray, scale: float) -> float:
    """Wasserstein-1 distance of two weighted samples, in units of ``scale``: 1 is a shift by one such width."""
    if not (weights_x.any() and weights_y.any()):
        return float("nan")
    return float(wasserstein_distance(x, y, weights_x, weights_y)) / scale


def distance_by_chance(y: np.ndarray, weights_y: np.ndarray, first: float, second: float, scale: float) -> float:
    """What :func:`scaled_distance` is on average for two samples of one distribution.

    The difference of two empirical distribution functions at a point is nearly normal with variance
    F (1 - F) (1/n1 + 1/n2); the distance is the integral of its absolute value, whose mean is sqrt(2 / pi) times
    the standard deviation.

    Args:
        y: Sample that F is taken from [n].
        weights_y: Its weights [n].
        first: Number of independent values in the one sample.
        second: The same of the other.
        scale: Unit of the result.
    """
    order = np.argsort(y)
    cumulative = np.cumsum(weights_y[order])
    cumulative = np.clip(cumulative / cumulative[-1], 0.0, 1.0)[:-1]
    spread = float(np.sum(np.sqrt(cumulative * (1.0 - cumulative)) * np.diff(y[order])))
    return float(np.sqrt(2.0 / np.pi * (1.0 / first + 1.0 / second))) * spread / scale
