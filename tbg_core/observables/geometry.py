"""Distances, angles and dihedrals of batches of conformations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def _points(x: ArrayLike, atoms: Sequence[int]) -> list[NDArray[np.float64]]:
    positions = np.asarray(x)
    return [positions[..., i, :].astype(np.float64) for i in atoms]


def distance(x: ArrayLike, i: int, j: int) -> NDArray[np.float64]:
    """Distance between two atoms [...], nm, for positions x [..., N, 3], nm."""
    a, b = _points(x, (i, j))
    return np.asarray(np.linalg.norm(a - b, axis=-1))


def angle(x: ArrayLike, i: int, j: int, k: int) -> NDArray[np.float64]:
    """Angle at atom j between the directions to i and k [...], radians in [0, pi], for x [..., N, 3]."""
    a, b, c = _points(x, (i, j, k))
    u, v = a - b, c - b
    # Accurate near 0 and pi too, unlike the arc cosine of the dot product.
    sine = np.linalg.norm(np.cross(u, v), axis=-1)
    return np.asarray(np.arctan2(sine, np.sum(u * v, axis=-1)))


def dihedral(x: ArrayLike, i: int, j: int, k: int, l: int) -> NDArray[np.float64]:  # noqa: E741 - i, j, k, l
    """Dihedral angle about the axis j-k [...], radians in [-pi, pi], for positions x [..., N, 3].

    IUPAC sign: looking from j to k, positive if k-l lies clockwise of j-i; trans is pi.
    """
    a, b, c, d = _points(x, (i, j, k, l))
    b1, b2, b3 = b - a, c - b, d - c
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    sine = np.linalg.norm(b2, axis=-1) * np.sum(b1 * n2, axis=-1)
    return np.asarray(np.arctan2(sine, np.sum(n1 * n2, axis=-1)))


def radius_of_gyration(x: ArrayLike, masses: Sequence[float]) -> NDArray[np.float64]:
    """Mass-weighted radius of gyration [...], nm, for positions x [..., N, 3], nm, and masses [N]."""
    positions = np.asarray(x).astype(np.float64)
    share = np.asarray(masses, dtype=np.float64) / np.sum(masses)
    centre = np.einsum("n,...nk->...k", share, positions)
    squared = np.sum((positions - centre[..., None, :]) ** 2, axis=-1)
    return np.asarray(np.sqrt(squared @ share))
