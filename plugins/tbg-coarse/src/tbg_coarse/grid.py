"""A density of one or two coarse coordinates: constant on the cells of a grid, with a broad component under it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np

BROAD: Final = 1e-3
"""Weight of the broad component: uniform for angles, else normal, of the width of the grid."""


class GridDensity(nn.Module):
    """p(s) on d coordinates.

    Angles are covered by the grid; other coordinates from ``low`` to ``high``, and beyond by the broad component.

    Args:
        d: Coordinates.
        cells: Cells along each.
        periodic: Whether they are angles.
    """

    low: Tensor
    high: Tensor
    log_mass: Tensor

    def __init__(self, d: int, cells: int, *, periodic: bool) -> None:
        super().__init__()
        self.d, self.cells, self.periodic = d, cells, periodic
        self.register_buffer("low", torch.full((d,), -math.pi, dtype=torch.float64))
        self.register_buffer("high", torch.full((d,), math.pi, dtype=torch.float64))
        self.register_buffer("log_mass", torch.full((cells**d,), -d * math.log(cells), dtype=torch.float64))

    @property
    def centres(self) -> Tensor:
        """Centres of the cells [cells^d, d], the last coordinate running fastest."""
        steps = (torch.arange(self.cells, dtype=torch.float64) + 0.5) / self.cells
        unit = torch.cartesian_prod(*[steps] * self.d).reshape(-1, self.d)
        return self.low + (self.high - self.low) * unit

    @torch.no_grad()
    def span(self, low: Tensor, high: Tensor) -> None:
        """Sets the range that the grid covers, where coordinates are not angles."""
        if not self.periodic:
            self.low.copy_(low)
            self.high.copy_(high)

    @torch.no_grad()
    def fit(self, coarse: Tensor) -> None:
        """The histogram of data [n, d], smoothed by one count per cell of the data's own blur."""
        margin = 0.2 * (coarse.amax(0) - coarse.amin(0))
        self.span(coarse.amin(0) - margin, coarse.amax(0) + margin)
        counts = torch.bincount(self._cell(coarse)[0], minlength=len(self.log_mass)).double()
        counts = counts.reshape([self.cells] * self.d)
        for axis in range(self.d):
            counts = 0.5 * counts + 0.25 * (counts.roll(1, axis) + counts.roll(-1, axis))
        self.set_free_energy(-(counts + 0.1).log().flatten())

    @torch.no_grad()
    def set_free_energy(self, free_energy: Tensor | np.ndarray) -> None:
        """p(s) from F [cells^d], kT, up to a constant."""
        self.log_mass.copy_(torch.log_softmax(-torch.as_tensor(free_energy, dtype=torch.float64), dim=0))

    def log_prob(self, coarse: Tensor) -> Tensor:
        """log p [B] of s [B, d]."""
        cell, within = self._cell(coarse)
        size = ((self.high - self.low) / self.cells).log().sum()
        fine = (self.log_mass[cell] - size).where(within, -math.inf) + math.log1p(-BROAD)
        if self.periodic:
            broad = coarse.new_full((len(coarse),), -self.d * math.log(2.0 * math.pi))
        else:
            width = self.high - self.low
            apart = (coarse - 0.5 * (self.low + self.high)) / width
            broad = (-0.5 * apart.square() - width.log() - 0.5 * math.log(2.0 * math.pi)).sum(1)
        return torch.logaddexp(fine, broad + math.log(BROAD)).where(torch.isfinite(coarse).all(1), torch.nan)

    def sample(self, uniform: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
        """s [B, d] and log p [B], from uniform [B, d + 2] and normal variates [B, d]."""
        cumulative = self.log_mass.exp().cumsum(0)
        cell = torch.searchsorted(cumulative, uniform[:, 0] * cumulative[-1], right=True)
        low = self.centres[cell.clamp_max(len(cumulative) - 1)] - 0.5 * (self.high - self.low) / self.cells
        inside = low + uniform[:, 2:] * (self.high - self.low) / self.cells
        if self.periodic:
            broad = self.low + uniform[:, 2:] * (self.high - self.low)
        else:
            broad = 0.5 * (self.low + self.high) + normal * (self.high - self.low)
        coarse = torch.where((uniform[:, 1] < BROAD).unsqueeze(1), broad, inside)
        return coarse, self.log_prob(coarse)

    def _cell(self, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Cell of each s [B], and whether it lies on the grid [B]."""
        at = torch.floor((coarse - self.low) / (self.high - self.low) * self.cells)
        within = ((at >= 0) & (at < self.cells)).all(1) | self.periodic
        at = torch.remainder(at, self.cells) if self.periodic else at.clamp(0, self.cells - 1)
        at = at.nan_to_num(0.0).long()
        powers = self.cells ** torch.arange(self.d - 1, -1, -1)
        return (at * powers).sum(1), within
