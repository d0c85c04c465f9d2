"""The surface of Mueller and Brown, Theor. Chim. Acta 53, 75 (1979)."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.energy import EnergyBackend, ThermodynamicState
from tbg_toys.rejection import CellSampler
from tbg_toys.target import ToyTarget, require_toy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from tbg_core.contracts.system import System
    from tbg_toys.config import MuellerBrownConfig
    from tbg_toys.system import ToySystem

# V(x, y) = sum_k A_k exp(a_k (x-X_k)^2 + b_k (x-X_k)(y-Y_k) + c_k (y-Y_k)^2): rows A, a, b, c, X, Y.
TERMS = (
    (-200.0, -1.0, 0.0, -10.0, 1.0, 0.0),
    (-100.0, -1.0, 0.0, -10.0, 0.0, 0.5),
    (-170.0, -6.5, 11.0, -6.5, -0.5, 1.5),
    (15.0, 0.7, 0.6, 0.7, -1.0, 1.0),
)

DIVIDE = 1.45
"""Basin 0, the deep minimum, is y - x > 1.45: the line through the main saddle point."""

NEGLIGIBLE = 50.0
"""Energies this far above the minimum (kT) are left out of integrals and samples."""

_SEARCH = 6.0
"""Half the side of the square that is searched for the populated region."""


class MuellerBrownTarget(ToyTarget):
    """Three minima in the plane; the basins are the deepest one and the two others together."""

    def __init__(self, system: ToySystem, state: ThermodynamicState, config: MuellerBrownConfig) -> None:
        super().__init__(system, state)
        self.config = config
        self.factor = config.scale / state.kT

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {"scale": self.config.scale}

    @override
    def potential(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = torch.zeros_like(x[:, 0])
        gx, gy = torch.zeros_like(u), torch.zeros_like(u)
        for height, a, b, c, x0, y0 in TERMS:
            dx, dy = x[:, 0] - x0, x[:, 1] - y0
            term = self.factor * height * torch.exp(a * dx * dx + b * dx * dy + c * dy * dy)
            u = u + term
            gx = gx + term * (2 * a * dx + b * dy)
            gy = gy + term * (b * dx + 2 * c * dy)
        return u, torch.stack([gx, gy], dim=1)

    @override
    def basin(self, x: Tensor) -> Tensor:
        return (x[:, 1] - x[:, 0] <= DIVIDE).to(torch.int64)

    @override
    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        return self._sampler.draw(generator, count)

    @cached_property
    @override
    def reference_values(self) -> Mapping[str, float]:
        """By quadrature in the coordinates along and across the line between the basins.

        Gauss-Legendre on either side of the line, and along it the trapezoidal rule, which converges
        exponentially for a smooth integrand that vanishes at both ends.
        """
        corners, lowest = self._box, self._lowest
        along = np.linspace(sum(corners[:, 0]), sum(corners[:, 1]), 1501)  # x + y
        across_ends = (corners[1, 0] - corners[0, 1], DIVIDE, corners[1, 1] - corners[0, 0])  # y - x
        nodes, weights = np.polynomial.legendre.leggauss(300)
        parts = []
        for low, high in pairwise(across_ends):
            across = 0.5 * (high + low) + 0.5 * (high - low) * nodes
            s, r = np.meshgrid(across, along, indexing="ij")
            x = np.stack([(r - s) / 2, (r + s) / 2], axis=-1).reshape(-1, 2)
            u = self._energy(x)
            # The Jacobian of (x, y) with respect to (y - x, x + y) is one half.
            area = 0.5 * np.repeat(0.5 * (high - low) * weights, len(along)) * (along[1] - along[0])
            mass = area * np.exp(lowest - u)
            first = x[:, 0]
            # Far away u may be infinite where its weight is zero.
            parts.append([mass.sum(), (mass * np.minimum(u, 1e9)).sum(), mass @ first, mass @ first**2])
        other, deep = np.array(parts)
        z, energy, mean, square = (other + deep).tolist()
        return {
            "log_z": float(np.log(z) - lowest),
            "mean_energy": energy / z,
            "mean_x0": mean / z,
            "variance_x0": square / z - (mean / z) ** 2,
            "basin_free_energy_difference": float(np.log(deep[0] / other[0])),
        }

    @override
    def describe(self) -> dict[str, Any]:
        return {**super().describe(), **self.config.model_dump()}

    def _energy(self, x: np.ndarray) -> np.ndarray:
        """u [n] of points [n, 2]."""
        return np.asarray(self.potential(torch.from_numpy(x))[0].numpy())

    @cached_property
    def _survey(self) -> tuple[np.ndarray, float]:
        axis = np.linspace(-_SEARCH, _SEARCH, 601)
        grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        u = self._energy(grid)
        populated = grid[u < u.min() + NEGLIGIBLE]
        spacing = axis[1] - axis[0]
        box = np.stack([populated.min(axis=0) - spacing, populated.max(axis=0) + spacing], axis=1)
        return box, float(u.min())

    @property
    def _box(self) -> np.ndarray:
        """Ranges [2, 2] of x and y that hold all but a negligible share."""
        return self._survey[0]

    @property
    def _lowest(self) -> float:
        return self._survey[1]

    @cached_property
    def _sampler(self) -> CellSampler:
        (x0, x1), (y0, y1) = self._box
        xs, ys = np.linspace(x0, x1, 401), np.linspace(y0, y1, 401)
        lower = np.stack(np.meshgrid(xs[:-1], ys[:-1], indexing="ij"), axis=-1).reshape(-1, 2)
        upper = np.stack(np.meshgrid(xs[1:], ys[1:], indexing="ij"), axis=-1).reshape(-1, 2)
        bound = -self.factor * energy_floor(lower, upper)
        return CellSampler(lower, upper, bound, lambda x: -self._energy(x))


def energy_floor(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Lower bound of the unscaled surface on boxes with corners [m, 2], by interval arithmetic [m]."""
    floor = np.zeros(len(lower))
    for height, a, b, c, x0, y0 in TERMS:
        dx = np.stack([lower[:, 0] - x0, upper[:, 0] - x0])
        dy = np.stack([lower[:, 1] - y0, upper[:, 1] - y0])
        products = dx[:, None] * dy[None, :]
        ranges = (
            (a, *_square_range(dx)),
            (b, products.min(axis=(0, 1)), products.max(axis=(0, 1))),
            (c, *_square_range(dy)),
        )
        # A well is deepest where its exponent is largest, a hill lowest where it is smallest.
        exponent = np.zeros(len(lower))
        for k, low, high in ranges:
            ends = np.stack([k * low, k * high])
            exponent += ends.max(axis=0) if height < 0 else ends.min(axis=0)
        floor += height * np.exp(exponent)
    return floor


def _square_range(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest square on the intervals with these ends [2, m]."""
    squares = ends**2
    low = np.where(ends[0] * ends[1] <= 0, 0.0, squares.min(axis=0))
    return low, squares.max(axis=0)


class MuellerBrown(EnergyBackend):
    """Potential of the system ``mueller-brown``."""

    def __init__(self, config: MuellerBrownConfig) -> None:
        self.config = config

    @override
    def bind(self, system: System, state: ThermodynamicState) -> MuellerBrownTarget:
        return MuellerBrownTarget(require_toy(system, "mueller-brown", ("mueller-brown",)), state, self.config)
