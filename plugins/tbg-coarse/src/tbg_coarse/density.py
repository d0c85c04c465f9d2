"""The conditional density of fine coordinates, q(rotors, stiff | s), exact and in one pass both ways.

Rotors come first, by a circular spline flow given s. Stiff coordinates follow given s and the rotors,

    z = centre + C (m + (1 + N) exp(a) h(eps)),        eps standard normal,

with C the Cholesky factor of their covariance in training data, and the shift m, the strictly lower triangular N, the
log-widths a and the monotonic rational-quadratic splines h (elementwise; the identity beyond 5) given by a network.
That is a Gaussian whose mean and covariance follow s, with corrected margins. Stacks of coupling layers (12 in the
paper) learn the same correlations from far more energies: bonds, angles and torsions of a molecule are close to normal
once s is given, but strongly correlated.

Splines and the circular flow are those of zuko (Rozet et al., https://github.com/probabilists/zuko). Sources: Durkan et
al. 2019, arXiv:1906.04032; Rezende et al. 2020, arXiv:2002.02428; Schopmans and Friederich 2024, arXiv:2402.01195.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from zuko.flows import NCSF
from zuko.transforms import MonotonicRQSTransform

from tbg_coarse.coordinates import wrap

if TYPE_CHECKING:
    from tbg_coarse.config import CoarseConfig

_LOG_2PI = math.log(2.0 * math.pi)
_SHRINKAGE = 1e-3
"""Share of the diagonal in the covariance: data along one coarse coordinate need not fill all directions."""


class FineDensity(nn.Module):
    """q(rotors, stiff | s) in float64.

    Args:
        config: Sizes; all known.
    """

    loc: Tensor
    factor: Tensor
    middle: Tensor
    extent: Tensor

    def __init__(self, config: CoarseConfig) -> None:
        super().__init__()
        self.rotors, self.stiff, self.periodic = config.rotors or 0, config.stiff or 0, config.periodic
        d, t, size, self.bins = len(config.cvs), self.rotors, self.stiff, config.bins
        context = 4 * d if self.periodic else d
        self.circle = NCSF(t, context, bins=config.bins, transforms=1, hidden_features=(config.width,)) if t else None
        self._lower = torch.tril_indices(size, size, -1)
        self.trunk = _network(context + 2 * t, config.width, config.layers)
        self.shifts = nn.Linear(config.width, 2 * size)
        self.splines = nn.Linear(config.width, size * (3 * config.bins - 1))
        self.mixing = nn.Linear(config.width, self._lower.shape[1]) if size > 1 else None
        for head in [h for h in (self.shifts, self.splines, self.mixing) if h is not None]:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.register_buffer("loc", torch.zeros(size))
        self.register_buffer("factor", torch.eye(size))
        self.register_buffer("middle", torch.zeros(d))
        self.register_buffer("extent", torch.ones(d))
        self.double()

    @torch.no_grad()
    def fit_constants(self, coarse: Tensor, stiff: Tensor) -> None:
        """Centre and Cholesky factor of the stiff coordinates, from data: [n, d], [n, D]."""
        self.middle.copy_(coarse.mean(0))
        self.extent.copy_(coarse.std(0))
        self.loc.copy_(stiff.mean(0))
        covariance = torch.cov(stiff.T).reshape(self.stiff, self.stiff)
        shrunk = (1.0 - _SHRINKAGE) * covariance + _SHRINKAGE * torch.diag(torch.diagonal(covariance))
        self.factor.copy_(torch.linalg.cholesky(shrunk))

    def log_prob(self, coarse: Tensor, rotors: Tensor, stiff: Tensor) -> Tensor:
        """log q [B] of rotors [B, T] and stiff coordinates [B, D] given s [B, d]."""
        context = self._context(coarse)
        total = stiff.new_zeros(len(coarse))
        if self.circle is not None:
            total = total + self.circle(context).transform.call_and_ladj(rotors)[1] - self.rotors * _LOG_2PI
        shift, width, spline, matrix = self._heads(context, rotors)
        white = torch.linalg.solve_triangular(self.factor, (stiff - self.loc).T, upper=False).T - shift
        mixed = torch.linalg.solve_triangular(matrix, white.unsqueeze(-1), upper=False, unitriangular=True)[..., 0]
        noise, log_slope = spline.inv.call_and_ladj(mixed * torch.exp(-width))
        normal = -0.5 * (noise.square() + _LOG_2PI).sum(1)
        log_q: Tensor = total + normal + (log_slope - width).sum(1) - self._log_factor
        return log_q

    def sample(self, coarse: Tensor, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotors [B, T], stiff coordinates [B, D] and log q [B], from uniform [B, T] and normal variates [B, D]."""
        if not len(coarse):  # which the flow on the circle does not take
            return uniform, normal, normal.sum(1)
        context = self._context(coarse)
        total, rotors = normal.new_zeros(len(coarse)), uniform
        if self.circle is not None:
            flow = self.circle(context)
            rotors, log_slope = flow.transform.inv.call_and_ladj(2.0 * math.pi * uniform - math.pi)
            rotors = wrap(rotors)
            total = total - log_slope - self.rotors * _LOG_2PI
        shift, width, spline, matrix = self._heads(context, rotors)
        bent, log_slope = spline.call_and_ladj(normal)
        mixed = (matrix @ (torch.exp(width) * bent).unsqueeze(-1))[..., 0]
        stiff = self.loc + (shift + mixed) @ self.factor.T
        total = total - 0.5 * (normal.square() + _LOG_2PI).sum(1) - (log_slope + width).sum(1) - self._log_factor
        return rotors, stiff, total

    @property
    def _log_factor(self) -> Tensor:
        total: Tensor = torch.diagonal(self.factor).log().sum()
        return total

    def _context(self, coarse: Tensor) -> Tensor:
        if not self.periodic:
            return (coarse - self.middle) / self.extent
        return torch.cat([f(k * coarse) for k in (1, 2) for f in (torch.cos, torch.sin)], dim=1)

    def _heads(self, context: Tensor, rotors: Tensor) -> tuple[Tensor, Tensor, MonotonicRQSTransform, Tensor]:
        """m [B, D], a [B, D], h, 1 + N [B, D, D]."""
        hidden = self.trunk(torch.cat([context, torch.cos(rotors), torch.sin(rotors)], dim=1))
        shift, width = self.shifts(hidden).chunk(2, dim=1)
        raw = self.splines(hidden).unflatten(1, (self.stiff, 3 * self.bins - 1))
        spline = MonotonicRQSTransform(*raw.split([self.bins, self.bins, self.bins - 1], dim=-1))
        matrix = torch.eye(self.stiff, dtype=hidden.dtype).repeat(len(hidden), 1, 1)
        if self.mixing is not None:
            matrix[:, self._lower[0], self._lower[1]] = self.mixing(hidden)
        return shift, 2.0 * torch.tanh(width / 2.0), spline, matrix


def _network(inputs: int, width: int, layers: int) -> nn.Sequential:
    """A multilayer perceptron up to its last hidden layer."""
    sizes = [inputs, *[width] * layers]
    parts = [(nn.Linear(a, b), nn.SiLU()) for a, b in pairwise(sizes)]
    return nn.Sequential(*(module for pair in parts for module in pair))
