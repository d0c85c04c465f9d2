"""Bicubic splines of periodic maps, as OpenMM's CMAP interpolates them."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.interpolate import CubicSpline

# Values and slopes at 0 and 1 to the coefficients of the cubic between them (Hermite).
_HERMITE: Final = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [-3, 3, -2, -1], [2, -2, 1, 1]], dtype=np.float64)


def bicubic_coefficients(energies: np.ndarray) -> np.ndarray:
    """Coefficients of the periodic bicubic spline through a map.

    Args:
        energies: Values [S, S] at the angles ``2 pi i/S`` of phi (first index) and psi.

    Returns:
        [S, S, 4, 4], coefficients of powers of the fractions of the cell in phi and psi.
    """
    size = len(energies)
    dx = _slopes(energies, axis=0)
    dy = _slopes(energies, axis=1)
    dxy = _slopes(dx, axis=1)
    here = np.arange(size)
    corners = [here, np.roll(here, -1)]
    block = np.empty((size, size, 4, 4))
    for a, rows in enumerate(corners):
        for b, columns in enumerate(corners):
            for da, db, values in ((0, 0, energies), (1, 0, dx), (0, 1, dy), (1, 1, dxy)):
                block[:, :, a + 2 * da, b + 2 * db] = values[rows][:, columns]
    return np.asarray(np.einsum("ka,ijab,lb->ijkl", _HERMITE, block, _HERMITE))


def _slopes(values: np.ndarray, axis: int) -> np.ndarray:
    """Derivatives at the grid points of the periodic cubic spline along one axis, per cell."""
    size = values.shape[axis]
    closed = np.concatenate([values, values.take([0], axis=axis)], axis=axis)
    spline = CubicSpline(np.arange(size + 1), closed, axis=axis, bc_type="periodic")
    return np.asarray(spline(np.arange(size), 1))
