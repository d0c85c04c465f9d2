"""Mixtures of isotropic Gaussians."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.special import ndtr
from typing_extensions import override

from tbg_core.contracts.energy import EnergyBackend, ThermodynamicState
from tbg_core.errors import EnergyError
from tbg_toys.target import ToyTarget, require_toy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from tbg_core.contracts.system import System
    from tbg_toys.config import GaussianMixtureConfig
    from tbg_toys.system import ToySystem


class GaussianMixtureTarget(ToyTarget):
    """A density known with its normaliser; the basins are x_0 < 0 and x_0 > 0.

    The reduced energy does not depend on the temperature. ``mean_energy`` is given for one component, and in
    one or two dimensions.
    """

    def __init__(self, system: ToySystem, state: ThermodynamicState, config: GaussianMixtureConfig) -> None:
        super().__init__(system, state)
        self.offset = config.offset
        means, sigmas, weights = config.means, config.sigmas, config.weights
        if means is None or sigmas is None or weights is None:
            means, sigmas, weights = _defaults(system)
        if len(means[0]) != system.dim:
            raise EnergyError(
                f"Energy gaussian-mixture has means of dimension {len(means[0])}, system {system.name} has "
                f"{system.dim}.",
                fix=f"Give means with {system.dim} entries each.",
            )
        self.means = torch.tensor(means, dtype=torch.float64)
        self.sigmas = torch.tensor(sigmas, dtype=torch.float64)
        self.weights = torch.tensor(weights, dtype=torch.float64) / math.fsum(weights)

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        parts = {"means": self.means, "sigmas": self.sigmas, "weights": self.weights}
        return {"offset": self.offset, **{name: part.tolist() for name, part in parts.items()}}

    @override
    def potential(self, x: Tensor) -> tuple[Tensor, Tensor]:
        means, sigmas = self.means.to(x.device), self.sigmas.to(x.device)
        away = (x.unsqueeze(1) - means) / sigmas[:, None] ** 2
        square = ((x.unsqueeze(1) - means) * away).sum(dim=2)
        volume = self.system.dim * (sigmas.log() + 0.5 * math.log(2 * math.pi))
        parts = self.weights.log().to(x.device) - volume - 0.5 * square
        u = self.offset - torch.logsumexp(parts, dim=1)
        return u, (torch.softmax(parts, dim=1).unsqueeze(2) * away).sum(dim=1)

    @override
    def basin(self, x: Tensor) -> Tensor:
        return (x[:, 0] > 0).to(torch.int64)

    @override
    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        edges = np.cumsum(self.weights.numpy())[:-1]
        component = np.searchsorted(edges, generator.random(count), side="right")
        noise = generator.standard_normal((count, self.system.dim))
        return self.means.numpy()[component] + self.sigmas.numpy()[component, None] * noise

    @cached_property
    @override
    def reference_values(self) -> Mapping[str, float]:
        weights, sigmas = self.weights.numpy(), self.sigmas.numpy()
        first = self.means.numpy()[:, 0]
        mean = float(weights @ first)
        right, left = float(weights @ ndtr(first / sigmas)), float(weights @ ndtr(-first / sigmas))
        values = {
            "log_z": -self.offset,
            "mean_x0": mean,
            "variance_x0": float(weights @ (sigmas**2 + first**2)) - mean**2,
            "basin_free_energy_difference": math.log(left / right),
        }
        if len(weights) == 1:
            entropy = self.system.dim * (math.log(sigmas[0]) + 0.5 * math.log(2 * math.pi * math.e))
            values["mean_energy"] = self.offset + entropy
        elif self.system.dim <= 2:
            values["mean_energy"] = self._mean_energy()
        return values

    @override
    def describe(self) -> dict[str, Any]:
        parameters = {
            "means": self.means.tolist(),
            "sigmas": self.sigmas.tolist(),
            "weights": self.weights.tolist(),
            "offset": self.offset,
        }
        return {**super().describe(), **parameters}

    def _mean_energy(self) -> float:
        """The mean of u, component by component, on grids that reach ten standard deviations."""
        axis = np.linspace(-10.0, 10.0, 401)
        grid = np.stack(np.meshgrid(*[axis] * self.system.dim, indexing="ij"), axis=-1)
        z = torch.from_numpy(grid.reshape(-1, self.system.dim))
        cell = ((axis[1] - axis[0]) / math.sqrt(2 * math.pi)) ** self.system.dim
        mass = cell * torch.exp(-0.5 * z.square().sum(dim=1))
        parts = zip(self.weights, self.means, self.sigmas, strict=True)
        return float(sum(w * (mass * self.potential(m + s * z)[0]).sum() for w, m, s in parts))


def _defaults(
    system: ToySystem,
) -> tuple[tuple[tuple[float, ...], ...], tuple[float, ...], tuple[float, ...]]:
    """Means, widths and weights where the config names none."""
    rest = (0.0,) * (system.dim - 1)
    if system.toy == "gaussian":
        return ((0.0, *rest),), (1.0,), (1.0,)
    return ((-1.5, *rest), (1.5, *rest)), (0.5, 0.6), (0.3, 0.7)


class GaussianMixture(EnergyBackend):
    """Potential of the systems ``gaussian`` and ``gaussian-mixture``."""

    def __init__(self, config: GaussianMixtureConfig) -> None:
        self.config = config

    @override
    def bind(self, system: System, state: ThermodynamicState) -> GaussianMixtureTarget:
        toy = require_toy(system, "gaussian-mixture", ("gaussian-mixture", "gaussian"))
        return GaussianMixtureTarget(toy, state, self.config)
