"""Positions from internal coordinates, differentiable, for a batch of copies of one molecule.

Atoms whose references are all placed are placed together; a small peptide takes seven such steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tbg_autoregressive.coordinates import place
from tbg_autoregressive.order import Torsion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_autoregressive.order import Placement


@dataclass(frozen=True)
class _Level:
    """Atoms that are placed together.

    Attributes:
        places: Their places [m].
        parents: Rows of b, c, d among the atoms placed before [m, 3].
        two_parents: Whether the distance to c stands in for theta [m].
        slope: The torsion is slope * u + offset, u = 2 atan(exp(z_phi)) [m]; 0 if it is given.
        offset: [m].
    """

    places: Tensor
    parents: Tensor
    two_parents: Tensor
    slope: Tensor
    offset: Tensor


class Growth:
    """Places the atoms of one molecule.

    Args:
        placements: How each atom is placed.
    """

    def __init__(self, placements: Sequence[Placement]) -> None:
        depth: list[int] = []
        for n, p in enumerate(placements):
            depth.append(0 if n < 3 else 1 + max(depth[q] for q in p.parents))
        self._levels = []
        rows = [0, 1, 2]
        for level in range(1, max(depth, default=0) + 1):
            places = [n for n, d in enumerate(depth) if d == level]
            chosen = [placements[n] for n in places]
            bounds = [_bounds(p) for p in chosen]
            self._levels.append(
                _Level(
                    places=torch.tensor(places),
                    parents=torch.tensor([[rows.index(q) for q in p.parents] for p in chosen]),
                    two_parents=torch.tensor([p.two_parents for p in chosen]),
                    slope=torch.tensor([b[0] for b in bounds], dtype=torch.float64),
                    offset=torch.tensor([b[1] for b in bounds], dtype=torch.float64),
                )
            )
            rows += places
        self._back = torch.tensor(rows).argsort()

    def __call__(self, z: Tensor, phi: Tensor) -> Tensor:
        """Positions [B, N, 3], nm, in order of placement.

        Args:
            z: Unbounded coordinates of r, theta, phi [B, N, 3].
            phi: Torsions of atoms that have a free one [B, N].
        """
        y = _root(z)
        for level in self._levels:
            b, c, d = (y[:, level.parents[:, k]] for k in range(3))
            zs = z[:, level.places]
            r = zs[..., 0].exp()
            base = (c - b).norm(dim=-1)
            across = (r.square() + base.square() - (2.0 * zs[..., 1]).exp()) / (2.0 * r * base)
            cosine = torch.where(level.two_parents, across, torch.cos(2.0 * torch.atan(zs[..., 1].exp())))
            # Two distances and the line between the parents may make no triangle.
            cosine = cosine.where(cosine.abs() < 1.0, torch.nan)
            bounded = level.slope * 2.0 * torch.atan(zs[..., 2].exp()) + level.offset
            torsion = torch.where(level.slope == 0.0, phi[:, level.places], bounded)
            y = torch.cat([y, place(b, c, d, r, cosine, torsion)], dim=1)
        return y[:, self._back]


def _root(z: Tensor) -> Tensor:
    """The first three atoms [B, 3, 3]: at the origin, on the x axis, and in the plane of x and y."""
    r, s = z[:, 1, 0].exp(), z[:, 2, 0].exp()
    theta = 2.0 * torch.atan(z[:, 2, 1].exp())
    zero = torch.zeros_like(r)
    second = torch.stack([r, zero, zero], dim=1)
    third = torch.stack([r - s * torch.cos(theta), s * torch.sin(theta), zero], dim=1)
    return torch.stack([torch.zeros_like(second), second, third], dim=1)


def _bounds(p: Placement) -> tuple[float, float]:
    """Slope and offset of a bounded torsion; zeros if it is free."""
    if p.torsion is Torsion.SIGNED:
        return float(p.sign), 0.0
    if p.torsion is Torsion.OPPOSITE:
        return 2.0, 0.0
    return (2.0, -math.pi) if p.torsion is Torsion.INSIDE else (0.0, 0.0)
