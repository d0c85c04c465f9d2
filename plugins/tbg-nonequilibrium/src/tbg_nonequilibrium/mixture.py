"""Gaussian mixtures under the Ornstein-Uhlenbeck process, in closed form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.field import VectorField
from tbg_core.errors import UnsupportedSystemError
from tbg_nonequilibrium.clock import QUARTER, along, alpha_sigma, alpha_sigma_of_flow
from tbg_nonequilibrium.process import Diffused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_core.contracts.system import Batch
    from tbg_core.randomness import SampleKeys
    from tbg_nonequilibrium.config import MixtureVelocityConfig


class Mixture(Diffused):
    """sum_k w_k N(m_k, s_k^2 I): at time t with means alpha m_k and variances v_k = alpha^2 s_k^2 + sigma^2.

    Args:
        means: [K, d].
        sigmas: [K].
        weights: Relative [K].
    """

    def __init__(self, means: Sequence[Sequence[float]], sigmas: Sequence[float], weights: Sequence[float]) -> None:
        self.means = torch.tensor(means, dtype=torch.float64)
        self.sigmas = torch.tensor(sigmas, dtype=torch.float64)
        self.weights = torch.tensor(weights, dtype=torch.float64) / math.fsum(weights)
        self.name = f"mixture of {len(self.weights)} Gaussians"
        self.event_shape = (self.means.shape[1],)

    @classmethod
    def symmetric(cls, mu: float, s: float, dim: int = 1) -> Mixture:
        """1/2 N(mu, s^2 I) + 1/2 N(-mu, s^2 I) with mu along the first axis."""
        rest = (0.0,) * (dim - 1)
        made = cls(((mu, *rest), (-mu, *rest)), (s, s), (0.5, 0.5))
        made.name = f"mixture mu = {mu:g}, s = {s:g}" + (f" in {dim} dimensions" if dim > 1 else "")
        return made

    @override
    def log_density(self, t: float, x: Tensor) -> Tensor:
        alpha, sigma = alpha_sigma(x.new_tensor([t], dtype=torch.float64))
        return torch.logsumexp(self._parts(alpha, sigma, x)[0], dim=1)

    @override
    def score(self, t: Tensor, x: Tensor) -> Tensor:
        parts, away, variance = self._parts(*alpha_sigma(t.double()), x)
        share = torch.softmax(parts, dim=1)
        return -(share / variance).unsqueeze(2).mul(away).sum(dim=1).to(x)

    @override
    def data(self, keys: SampleKeys) -> Tensor:
        edges = np.cumsum(self.weights.numpy())[:-1]
        component = np.searchsorted(edges, keys.child("component").uniform().numpy(), side="right")
        return self.means[component] + self.sigmas[component, None] * keys.normal(self.event_shape)

    def posterior(self, alpha: Tensor, sigma: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """E[X_0 | X = x] and E[Z | X = x] [B, d] at alpha and sigma [B], float64."""
        parts, away, variance = self._parts(alpha, sigma, x)
        share = torch.softmax(parts, dim=1).unsqueeze(2)
        pull = away / variance.unsqueeze(2)
        start = self.means + (alpha.view(-1, 1) * self.sigmas**2).unsqueeze(2) * pull
        return (share * start).sum(dim=1), sigma.view(-1, 1) * (share * pull).sum(dim=1)

    def _parts(self, alpha: Tensor, sigma: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """log w_k N(x; ...) [B, K], x - alpha m_k [B, K, d] and v_k [B, K], float64."""
        alpha, sigma = alpha.view(-1, 1), sigma.view(-1, 1)
        variance = alpha**2 * self.sigmas**2 + sigma**2
        away = x.double().unsqueeze(1) - alpha.unsqueeze(2) * self.means
        square = away.square().sum(dim=2) / variance
        volume = 0.5 * x.shape[1] * torch.log(2 * math.pi * variance)
        return self.weights.log() - volume - 0.5 * square, away, variance


class MixtureVelocity(VectorField):
    """The velocity of a diffusing mixture's probability flow: what the field of a diffusion would learn from it."""

    def __init__(self, config: MixtureVelocityConfig) -> None:
        super().__init__()
        self.mixture = Mixture(config.means, config.sigmas, config.weights)

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        if x.shape[1:] != self.mixture.event_shape:
            raise UnsupportedSystemError(
                f"Field mixture-velocity has dimension {self.mixture.event_shape[0]}, "
                f"the system's states have shape {tuple(x.shape[1:])}.",
                fix="Give means of the system's dimension.",
            )
        alpha, sigma = alpha_sigma_of_flow(t.double())
        start, noise = self.mixture.posterior(alpha, sigma, x)
        return (QUARTER * (along(sigma, start) * start - along(alpha, noise) * noise)).to(x)
