"""The distributions of the paper's figures, as exact tables. All are defined here, once and for all, by formulas."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import ndtr

from tbg_assignment.distributions import Product, Table
from tbg_core.randomness import generator

AGREEMENT: Final = 0.9
HALF_SIDE: Final = 4.0
"""The plane is cut to [-4, 4]^2 before it is divided into c x c cells."""
FLOOR: Final = 1e-3
"""Share of the uniform distribution that is mixed in, so that no cell is empty."""

_ARMS: Final = 5
_CENTRES, _SPREAD = 3.0, 0.35


def coupled_binary() -> Table:
    """Two binary variables, each fair, that agree with probability 0.9."""
    p = np.array([[AGREEMENT, 1 - AGREEMENT], [1 - AGREEMENT, AGREEMENT]]) / 2
    return Table(np.log(p))


def eight_gaussians(classes: int) -> Table:
    """Eight Gaussians of width 0.35 on a circle of radius 3: integrals over the cells."""
    edges = np.linspace(-HALF_SIDE, HALF_SIDE, classes + 1)
    p = np.zeros((classes, classes))
    for k in range(8):
        x, y = _CENTRES * np.cos(np.pi * k / 4), _CENTRES * np.sin(np.pi * k / 4)
        p += np.outer(*(np.diff(ndtr((edges - centre) / _SPREAD)) for centre in (x, y)))
    return _table(p)


def pinwheel(classes: int) -> Table:
    """Five arms: f ~ N((1, 0), diag(0.3^2, 0.1^2)) turned by 2 pi k/5 + 0.25 exp(f_1), times 2.

    A grid of 600 x 200 points of f, weighted by their density, is sorted into the cells; the table is defined by it.
    """
    z = np.linspace(-4.0, 4.0, 600), np.linspace(-4.0, 4.0, 200)
    f1, f2 = np.meshgrid(1.0 + 0.3 * z[0], 0.1 * z[1], indexing="ij")
    weight = np.exp(-0.5 * (z[0][:, None] ** 2 + z[1][None, :] ** 2))
    p = np.zeros((classes, classes))
    for k in range(_ARMS):
        turn = 2.0 * np.pi * k / _ARMS + 0.25 * np.exp(f1)
        x = 2.0 * (np.cos(turn) * f1 - np.sin(turn) * f2)
        y = 2.0 * (np.sin(turn) * f1 + np.cos(turn) * f2)
        sides = [[-HALF_SIDE, HALF_SIDE]] * 2
        p += np.histogram2d(x.ravel(), y.ravel(), bins=classes, range=sides, weights=weight.ravel())[0]
    return _table(p)


def categorical(variables: int, classes: int, seed: int) -> Product:
    """Independent variables; the probabilities of each are uniform on the simplex (Dirichlet(1, ..., 1))."""
    p = generator(seed, "categorical", variables, classes).standard_exponential((variables, classes))
    return Product(p / p.sum(axis=1, keepdims=True))


def _table(p: np.ndarray) -> Table:
    return Table(np.log((1.0 - FLOOR) * p / p.sum() + FLOOR / p.size))
