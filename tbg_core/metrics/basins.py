"""Basins of the torsions of peptides, and the free energy of the left-handed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tbg_core.observables.geometry import dihedral
from tbg_core.observables.torsions import torsions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.molecule import Molecule

BASINS: Final[Mapping[str, tuple[float, ...]]] = {
    # Where one basin ends and the next begins, degrees: left-handed (0 to 120) and the rest; helical (-120 to 50)
    # and extended; the three rotamers.
    "phi": (0.0, 120.0),
    "psi": (-120.0, 50.0),
    "chi1": (0.0, 120.0, 240.0),
}


def basin_torsions(molecule: Molecule, x: np.ndarray) -> dict[str, tuple[np.ndarray, tuple[float, ...]]]:
    """The torsions whose basins are counted: name, angles [n] (radians), and where basins begin (degrees).

    Args:
        molecule: The molecule.
        x: Conformations [n, N, 3], nm.
    """
    return {
        f"{kind}:{residue + 1}": (dihedral(x, *atoms), edges)
        for kind, edges in BASINS.items()
        for residue, atoms in torsions(molecule, kind).items()
    }


def basin_of(angle: np.ndarray, edges: tuple[float, ...]) -> np.ndarray:
    """Basin of each angle [n] (radians): i between ``edges`` i and i + 1 (degrees), cyclically."""
    turned = np.mod(np.degrees(angle) - edges[0], 360.0)
    return np.asarray(np.searchsorted(np.array(edges[1:]) - edges[0], turned, side="right"))


class Difference(NamedTuple):
    """F(left-handed) - F(rest) in kT and its standard error; infinite where one of them was never visited."""

    value: float
    error: float


def left_handed(phi: np.ndarray, weights: np.ndarray | None = None, groups: np.ndarray | None = None) -> Difference:
    """Free energy of phi in 0 to 120 degrees less that of all other phi, -log(P / (1 - P)), in kT.

    Args:
        phi: Angles [n], radians.
        weights: Of the rows [n]; equal if None.
        groups: Independent groups of rows [n]; each row is its own if None.
    """
    w = np.ones(len(phi)) if weights is None else weights
    left = basin_of(phi, BASINS["phi"]) == 0
    labels = np.arange(len(phi)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    there, rest = (np.bincount(labels, weights=np.where(inside, w, 0.0)) for inside in (left, ~left))
    if not there.any() or not rest.any():
        return Difference(-np.inf if there.any() else np.inf, np.nan)
    # Delta method; a group that visits both basins counts in both sums.
    influence = rest / rest.sum() - there / there.sum()
    return Difference(float(np.log(rest.sum() / there.sum())), float(np.sqrt(influence @ influence)))
