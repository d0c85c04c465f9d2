"""The quartic double well."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.integrate import quad
from typing_extensions import override

from tbg_core.contracts.energy import EnergyBackend, ThermodynamicState
from tbg_toys.rejection import CellSampler
from tbg_toys.target import ToyTarget, require_toy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from tbg_core.contracts.system import System
    from tbg_toys.config import DoubleWellConfig
    from tbg_toys.system import ToySystem

DEFAULT_TILT = {"double-well": 0.0, "asymmetric-double-well": 5.0}
NEGLIGIBLE = 60.0
"""Energies this far above the minimum (kT) are left out of integrals: a share of e^-60."""


class DoubleWellTarget(ToyTarget):
    """Double well in the first coordinate, harmonic in the others; the basins are x_0 < 0 and x_0 > 0."""

    def __init__(self, system: ToySystem, state: ThermodynamicState, config: DoubleWellConfig) -> None:
        super().__init__(system, state)
        self.config = config
        self.tilt = DEFAULT_TILT[system.toy] if config.tilt is None else config.tilt

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {**self.config.model_dump(mode="json"), "tilt": self.tilt}

    @override
    def potential(self, x: Tensor) -> tuple[Tensor, Tensor]:
        c, kT = self.config, self.state.kT
        s = x[:, 0] / c.a
        well = c.barrier * (s**2 - 1) ** 2 + 0.5 * self.tilt * s
        force = (4 * c.barrier * s * (s**2 - 1) + 0.5 * self.tilt) / c.a
        rest = x[:, 1:]
        u = (well + 0.5 * c.stiffness * rest.square().sum(dim=1)) / kT
        return u, torch.cat([force.unsqueeze(1), c.stiffness * rest], dim=1) / kT

    @override
    def basin(self, x: Tensor) -> Tensor:
        return (x[:, 0] > 0).to(torch.int64)

    @override
    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        first = self._sampler.draw(generator, count)
        width = np.sqrt(self.state.kT / self.config.stiffness)
        others = width * generator.standard_normal((count, self.system.dim - 1))
        return np.concatenate([first, others], axis=1)

    @cached_property
    @override
    def reference_values(self) -> Mapping[str, float]:
        low, high = self._interval
        lowest = float(self._well(self._critical).min())

        def integral(f: Callable[[float], float], a: float, b: float) -> float:
            def weighted(x: float) -> float:
                return float(f(x) * np.exp(lowest - self._well(x)))

            inside = [float(point) for point in self._critical if a < point < b]
            tolerance = {"epsabs": 1e-14 * high, "epsrel": 1e-12}
            value, _ = quad(weighted, a, b, points=inside or None, limit=400, **tolerance)
            return float(value)

        left, right = integral(lambda _: 1.0, low, 0.0), integral(lambda _: 1.0, 0.0, high)
        z = left + right

        def mean(f: Callable[[float], float]) -> float:
            return (integral(f, low, 0.0) + integral(f, 0.0, high)) / z

        others, mean_x0 = self.system.dim - 1, mean(lambda x: x)
        width = np.sqrt(2 * np.pi * self.state.kT / self.config.stiffness)
        return {
            "log_z": float(np.log(z) - lowest + others * np.log(width)),
            "mean_energy": mean(lambda x: float(self._well(x))) + 0.5 * others,
            "mean_x0": mean_x0,
            "variance_x0": mean(lambda x: (x - mean_x0) ** 2),
            "basin_free_energy_difference": float(np.log(left / right)),
        }

    @override
    def describe(self) -> dict[str, Any]:
        return {**super().describe(), **self.config.model_dump(), "tilt": self.tilt}

    def _well(self, x: float | np.ndarray) -> np.ndarray:
        """Reduced energy of the first coordinate."""
        s = np.asarray(x) / self.config.a
        well = self.config.barrier * (s**2 - 1) ** 2 + 0.5 * self.tilt * s
        return np.asarray(well / self.state.kT)

    @cached_property
    def _critical(self) -> np.ndarray:
        """Minima and barrier of the first coordinate, ascending."""
        roots = np.roots([4 * self.config.barrier, 0.0, -4 * self.config.barrier, 0.5 * self.tilt])
        return np.asarray(np.sort(roots[np.abs(roots.imag) < 1e-9].real) * self.config.a)

    @cached_property
    def _interval(self) -> tuple[float, float]:
        """Where the first coordinate can be found."""
        ceiling = float(self._well(self._critical).min()) + NEGLIGIBLE
        reach = 2.0 * self.config.a
        while min(self._well(-reach), self._well(reach)) < ceiling:
            reach *= 1.2
        return -reach, reach

    @cached_property
    def _sampler(self) -> CellSampler:
        # Between neighbouring edges the potential is monotonic, so that its bound is at one of them.
        edges = np.sort(np.concatenate([np.linspace(*self._interval, 2001), self._critical]))
        u = self._well(edges)
        bound = -np.minimum(u[1:], u[:-1])
        return CellSampler(edges[:-1, None], edges[1:, None], bound, lambda x: -self._well(x[:, 0]))


class DoubleWell(EnergyBackend):
    """Potential of the systems ``double-well`` and ``asymmetric-double-well``."""

    def __init__(self, config: DoubleWellConfig) -> None:
        self.config = config

    @override
    def bind(self, system: System, state: ThermodynamicState) -> DoubleWellTarget:
        return DoubleWellTarget(require_toy(system, "double-well", tuple(DEFAULT_TILT)), state, self.config)
