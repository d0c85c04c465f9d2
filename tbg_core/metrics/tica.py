"""Time-lagged independent components: the slow directions of plain molecular dynamics."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.errors import ConfigError
from tbg_core.observables.geometry import dihedral
from tbg_core.observables.torsions import torsions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.molecule import Molecule

COMPONENTS: Final = 2
_HEAVY: Final = frozenset({"C", "N", "S"})
_SMALLEST_VARIANCE: Final = 1e-6
"""Directions of the features with less variance are dropped, as usual in the field: they are numerical noise."""


class Tica:
    """The first two components, scaled by their eigenvalues (kinetic map).

    C(0) and C(tau) are those of the trajectories run forwards and backwards, which imposes detailed balance. The
    components solve C(tau) v = lambda C(0) v and have unit variance before the scaling.

    Args:
        trajectories: Features [T_i, d] of each, at equal times.
        lag: tau, in frames.

    Attributes:
        eigenvalues: Autocorrelation of the components at tau [2], descending.

    Raises:
        ConfigError: If no trajectory is longer than the lag.

    Source: Perez-Hernandez et al., J. Chem. Phys. 139, 015102 (2013); Noe and Clementi, J. Chem. Theory Comput. 11,
    5002 (2015), for the scaling.
    """

    def __init__(self, trajectories: Sequence[np.ndarray], lag: int) -> None:
        pairs = [(x[:-lag], x[lag:]) for x in trajectories if len(x) > lag]
        if not pairs:
            longest = max((len(x) for x in trajectories), default=0)
            raise ConfigError(
                f"no trajectory is longer than the lag of TICA, {lag} frames: the longest has {longest}.",
                fix="Give longer trajectories or a shorter lag.",
            )
        early, late = (np.concatenate(part).astype(np.float64) for part in zip(*pairs, strict=True))
        self.mean = 0.5 * (early.mean(axis=0) + late.mean(axis=0))
        early, late = early - self.mean, late - self.mean
        c0 = 0.5 * (early.T @ early + late.T @ late) / len(early)
        ct = 0.5 * (early.T @ late + late.T @ early) / len(early)
        variance, axes = np.linalg.eigh(c0)
        kept = variance > _SMALLEST_VARIANCE
        whiten = axes[:, kept] / np.sqrt(variance[kept])
        eigenvalues, directions = np.linalg.eigh(whiten.T @ ct @ whiten)
        slowest = np.argsort(eigenvalues)[::-1][:COMPONENTS]
        self.eigenvalues = eigenvalues[slowest]
        projection = whiten @ directions[:, slowest] * self.eigenvalues
        self.projection = projection

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """The components [n, 2] of features [n, d]."""
        return np.asarray((features - self.mean) @ self.projection)


def tica_features(molecule: Molecule, x: np.ndarray) -> np.ndarray:
    """Distances between all C, N and S atoms (nm), then cosines and sines of phi, psi and omega [n, d].

    Args:
        molecule: The molecule.
        x: Conformations [n, N, 3], nm.
    """
    heavy = [i for i, element in enumerate(molecule.elements) if element in _HEAVY]
    first, second = np.array(list(combinations(heavy, 2))).T
    x = np.asarray(x, dtype=np.float64)
    angles = [dihedral(x, *a) for kind in ("phi", "psi", "omega") for a in torsions(molecule, kind).values()]
    columns = [f(angle)[:, None] for angle in angles for f in (np.cos, np.sin)]
    return np.concatenate([np.linalg.norm(x[:, first] - x[:, second], axis=-1), *columns], axis=1)
