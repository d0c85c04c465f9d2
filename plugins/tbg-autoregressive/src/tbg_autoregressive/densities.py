"""The two families of conditional densities: wrapped normals on the circle, normals on the line; both as mixtures.

Each has a small broad component that is not learned, so that the tails cover the target where the network is wrong.
All densities are float64-safe; parameters come from the network in any type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import log_softmax

if TYPE_CHECKING:
    from torch import Tensor

LOG_2PI = math.log(2.0 * math.pi)
BROAD_TORSION = 5e-4
"""Weight of the uniform component of a torsion."""
BROAD_RESIDUAL = 1e-4
"""Weight of the broad component of a stiff coordinate."""
BROAD_WIDTH = 4.0
"""Its standard deviation, in units of the linear prediction's."""
_WIDTH_RANGE = 1.7
"""Largest |log width| of a residual's component: the network cannot narrow one without end."""
_NARROWEST, _WIDEST = math.log(0.03), math.log(1.2)


def _between(raw: Tensor, low: float, high: float) -> Tensor:
    """A smooth bound."""
    return low + (high - low) * torch.sigmoid(raw)


@dataclass(frozen=True)
class Torsions:
    """Mixtures of wrapped normals on the circle, with a uniform component.

    With s > 1 the density of phi is p(s phi): symmetric under rotations by 2 pi / s. Widths are at most 1.2 rad,
    so that three images make the wrapped normal exact to 1e-13.

    Attributes:
        log_weight: [..., K].
        mean: [..., K], radians.
        log_width: [..., K].
        fold: s [...].
    """

    log_weight: Tensor
    mean: Tensor
    log_width: Tensor
    fold: Tensor

    @classmethod
    def of(cls, raw: Tensor, fold: Tensor) -> Torsions:
        """From network outputs [..., 4 K]: weights, directions (two numbers each), widths."""
        logit, x, y, width = raw.chunk(4, dim=-1)
        k = logit.shape[-1]
        # Components start evenly spread around the circle.
        start = torch.arange(k, dtype=raw.dtype, device=raw.device) * (2.0 * math.pi / k)
        mean = torch.atan2(y + torch.sin(start), x + torch.cos(start))
        return cls(log_softmax(logit, dim=-1), mean, _between(width, _NARROWEST, _WIDEST), fold)

    def log_prob(self, phi: Tensor) -> Tensor:
        """log density of phi [...]."""
        apart = torch.remainder((self.fold * phi).unsqueeze(-1) - self.mean + math.pi, 2.0 * math.pi) - math.pi
        images = torch.stack([apart - 2.0 * math.pi, apart, apart + 2.0 * math.pi], dim=-1)
        width = self.log_width.unsqueeze(-1)
        terms = -0.5 * (images * torch.exp(-width)).square() - width
        mixture = torch.logsumexp(self.log_weight + torch.logsumexp(terms, dim=-1), dim=-1) - 0.5 * LOG_2PI
        uniform = torch.full_like(mixture, math.log(BROAD_TORSION) - LOG_2PI)
        return torch.logaddexp(mixture + math.log1p(-BROAD_TORSION), uniform)

    def sample(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """phi [...] in (-pi, pi] from uniform variates [..., 3] and normal ones [...]."""
        k = _choose(self.log_weight, uniform[..., 0])
        psi = self.mean.gather(-1, k)[..., 0] + self.log_width.gather(-1, k)[..., 0].exp() * normal
        psi = torch.where(uniform[..., 1] < BROAD_TORSION, 2.0 * math.pi * uniform[..., 1] / BROAD_TORSION, psi)
        turn = torch.floor(uniform[..., 2] * self.fold)
        phi = (psi + 2.0 * math.pi * turn) / self.fold
        return math.pi - torch.remainder(math.pi - phi, 2.0 * math.pi)


@dataclass(frozen=True)
class Residuals:
    """Mixtures of normals for the standardised residuals of linear predictions.

    Attributes:
        log_weight: [..., K].
        mean: [..., K].
        log_width: [..., K].
    """

    log_weight: Tensor
    mean: Tensor
    log_width: Tensor

    @classmethod
    def of(cls, raw: Tensor) -> Residuals:
        """From network outputs [..., 2 + 3 K]: shift and width of all, then weights, shifts, widths of components."""
        shift, width = raw[..., :1], raw[..., 1:2]
        logit, mean, log_width = raw[..., 2:].chunk(3, dim=-1)
        k = logit.shape[-1]
        # Components start slightly unlike, so that they can part.
        start = torch.linspace(-0.3, 0.3, k, dtype=raw.dtype, device=raw.device)
        centre = 8.0 * torch.tanh((shift + mean) / 8.0)
        total = width + log_width + start
        return cls(log_softmax(logit, dim=-1), centre, _WIDTH_RANGE * torch.tanh(total / _WIDTH_RANGE))

    def log_prob(self, residual: Tensor) -> Tensor:
        """log density of the residual [...]."""
        apart = residual.unsqueeze(-1) - self.mean
        terms = -0.5 * (apart * torch.exp(-self.log_width)).square() - self.log_width
        mixture = torch.logsumexp(self.log_weight + terms, dim=-1)
        broad = -0.5 * (residual / BROAD_WIDTH).square() - math.log(BROAD_WIDTH) + math.log(BROAD_RESIDUAL)
        return torch.logaddexp(mixture + math.log1p(-BROAD_RESIDUAL), broad) - 0.5 * LOG_2PI

    def sample(self, uniform: Tensor, normal: Tensor) -> Tensor:
        """Residuals [...] from uniform variates [..., 2] and normal ones [...]."""
        k = _choose(self.log_weight, uniform[..., 0])
        usual = self.mean.gather(-1, k)[..., 0] + self.log_width.gather(-1, k)[..., 0].exp() * normal
        return torch.where(uniform[..., 1] < BROAD_RESIDUAL, BROAD_WIDTH * normal, usual)


def _choose(log_weight: Tensor, uniform: Tensor) -> Tensor:
    """Component by inverse transform [..., 1]."""
    cumulative = log_weight.exp().cumsum(-1)
    below = (uniform.unsqueeze(-1) * cumulative[..., -1:] >= cumulative).sum(-1, keepdim=True)
    return below.clamp_max(log_weight.shape[-1] - 1)
