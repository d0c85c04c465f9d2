"""The map between conformations and standard normal variates, coordinate by coordinate.

Through cumulative distributions: z = Phi^-1(F(c)) for each coordinate c given those before it, with F its conditional
cumulative distribution. A torsion is cut open opposite to the circular mean of its mixture. The orientation of the root
has three variates of its own, the Euler angles (z, y, z), whose measure is uniform; molecules as they grow have all
three at zero, far from the poles. Inverses are found by bisection, to the last digits of float64.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch.special import ndtr, ndtri

from tbg_autoregressive.coordinates import frames
from tbg_autoregressive.densities import BROAD_RESIDUAL, BROAD_TORSION, BROAD_WIDTH, Residuals, Torsions

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_BISECTIONS: Final = 54
_TURN: Final = 2.0 * math.pi
_SMALLEST: Final = 1e-300


class LatentVariates:
    """Stands for the random numbers of a growing batch: each coordinate is the quantile of its variate.

    Attributes:
        torsion_normal: [B, K].
        residual_normal: [B, N, 3].
    """

    def __init__(self, torsion_normal: Tensor, residual_normal: Tensor) -> None:
        self.torsion_normal, self.residual_normal = torsion_normal, residual_normal

    def torsion(self, density: Torsions, k: int) -> Tensor:
        """The torsion of block k [B, 1]."""
        return torsion_of_normal(density, self.torsion_normal[:, k : k + 1])

    def residual(self, density: Residuals, rows: slice) -> Tensor:
        """The residuals of a block [B, n, 3]."""
        return residual_of_normal(density, self.residual_normal[:, rows])


def normal_of_residual(density: Residuals, residual: Tensor) -> Tensor:
    """z [...] of residuals [...]; the tail that is smaller is the one that is computed."""
    below, above = _tails(density, residual)
    return torch.where(below < above, ndtri(below), -ndtri(above))


def residual_of_normal(density: Residuals, z: Tensor) -> Tensor:
    """The residual [...] of variates z [...]: it lies between the quantiles of the components."""
    quantiles = density.mean + density.log_width.exp() * z.unsqueeze(-1)
    quantiles = torch.cat([quantiles, BROAD_WIDTH * z.unsqueeze(-1)], dim=-1)
    low, high = quantiles.amin(-1), quantiles.amax(-1)
    return _bisect(lambda x: normal_of_residual(density, x), z, low, high)


def normal_of_torsion(density: Torsions, phi: Tensor) -> Tensor:
    """z [...] of torsions [...], radians; with s-fold symmetry the circle holds s copies of the distribution."""
    cut = _cut(density)
    psi = torch.remainder(density.fold * phi - cut, _TURN * density.fold)
    copy = torch.floor(psi / _TURN).clamp(max=density.fold - 1.0)
    share = _cumulative(density, cut, psi - _TURN * copy)
    return ndtri(((copy + share) / density.fold).clamp(_SMALLEST, 1.0 - 1e-16))


def torsion_of_normal(density: Torsions, z: Tensor) -> Tensor:
    """The torsion [...] in (-pi, pi] of variates z [...]."""
    cut, scaled = _cut(density), ndtr(z) * density.fold
    copy = torch.floor(scaled).clamp(max=density.fold - 1.0)
    zeros = torch.zeros_like(z)
    psi = _bisect(lambda x: _cumulative(density, cut, x), scaled - copy, zeros, zeros + _TURN)
    phi = (psi + _TURN * copy + cut) / density.fold
    return math.pi - torch.remainder(math.pi - phi, _TURN)


def root_axes(y: Tensor) -> Tensor:
    """Axes (rows) of the first three atoms [B, 3, 3]: those of a molecule as it grows are the unit matrix."""
    return frames(y[:, 0], y[:, 1], y[:, 2])


def normal_of_axes(axes: Tensor) -> Tensor:
    """Variates [B, 3] of orientations [B, 3, 3]: of the Euler angles (z, y, z), those of a quarter turn being zero."""
    axes = axes @ _quarter(axes)
    alpha = torch.atan2(axes[:, 1, 2], axes[:, 0, 2])
    gamma = torch.atan2(axes[:, 2, 1], -axes[:, 2, 0])
    uniform = torch.stack([alpha / _TURN + 0.5, 0.5 * (1.0 - axes[:, 2, 2]), gamma / _TURN + 0.5], dim=1)
    return ndtri(uniform.clamp(1e-16, 1.0 - 1e-16))


def axes_of_normal(z: Tensor) -> Tensor:
    """Orientation [B, 3, 3] of variates [B, 3]; the inverse of :func:`normal_of_axes`."""
    uniform = ndtr(z)
    alpha, gamma = _TURN * (uniform[:, 0] - 0.5), _TURN * (uniform[:, 2] - 0.5)
    cosine = 1.0 - 2.0 * uniform[:, 1]
    return _about_z(alpha) @ _about_y(cosine) @ _about_z(gamma) @ _quarter(z).mT


def _quarter(like: Tensor) -> Tensor:
    """A quarter turn about y [3, 3]."""
    return torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]], dtype=like.dtype, device=like.device)


def _about_z(angle: Tensor) -> Tensor:
    c, s, zero, one = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=-1).unflatten(-1, (3, 3))


def _about_y(cosine: Tensor) -> Tensor:
    c, s = cosine, (1.0 - cosine.square()).clamp_min(0.0).sqrt()
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    return torch.stack([c, zero, s, zero, one, zero, -s, zero, c], dim=-1).unflatten(-1, (3, 3))


def _tails(density: Residuals, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities below and above [...]."""
    weight = density.log_weight.exp() * (1.0 - BROAD_RESIDUAL)
    weight = weight / density.log_weight.exp().sum(-1, keepdim=True)
    scaled = (residual.unsqueeze(-1) - density.mean) * torch.exp(-density.log_width)
    broad = residual / BROAD_WIDTH
    below, above = (
        (weight * ndtr(sign * scaled)).sum(-1) + BROAD_RESIDUAL * ndtr(sign * broad) for sign in (1.0, -1.0)
    )
    return below.clamp_min(_SMALLEST), above.clamp_min(_SMALLEST)


def _cut(density: Torsions) -> Tensor:
    """Where the circle of psi = s phi is opened [...]."""
    weight = density.log_weight.exp()
    mean = torch.atan2((weight * torch.sin(density.mean)).sum(-1), (weight * torch.cos(density.mean)).sum(-1))
    return mean + math.pi


def _cumulative(density: Torsions, cut: Tensor, psi: Tensor) -> Tensor:
    """Probability [...] from the cut to psi [...] beyond it, psi in [0, 2 pi]."""
    start = torch.remainder(density.mean - cut.unsqueeze(-1), _TURN).unsqueeze(-1)
    images = start + _TURN * torch.arange(-2, 3, dtype=psi.dtype, device=psi.device)
    width = density.log_width.exp().unsqueeze(-1)
    share = ndtr((psi[..., None, None] - images) / width) - ndtr(-images / width)
    weight = density.log_weight.exp() / density.log_weight.exp().sum(-1, keepdim=True)
    mixture = (weight * share.sum(-1)).sum(-1)
    return (1.0 - BROAD_TORSION) * mixture + BROAD_TORSION * psi / _TURN


def _bisect(function: Callable[[Tensor], Tensor], wanted: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Where an increasing function takes the values wanted, between low and high."""
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        small = function(middle) < wanted
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
    return 0.5 * (low + high)
