"""Internal coordinates of batches of molecules, and the volume element; exact both ways.

Each placed atom has a distance r to its parent b, an angle theta at b to c (or, with two parents, the distance r2
to c), and a torsion phi about b-c to d. All but FREE torsions are mapped to unbounded variables z, so that
any density on R^n in z lives on the true support:

    z_r = log r        z_theta = log tan(theta / 2), or log r2        z_phi = log tan(u / 2)

with u = |phi| for a SIGNED torsion, whose sign is that of the handedness, and u = (delta + pi) / 2 for one that
lies around a centre (pi if OPPOSITE, 0 if INSIDE), delta being the distance from the centre. Near tetrahedral and
trigonal angles the maps are nearly linear. In these variables the volume elements of an atom after the root are

    one parent    r^3 sin^2(theta) J dz_r dz_theta dphi        two parents   r^2 r2^2 / d J dz_r dz_theta dphi

where d is the distance between the parents and J = dphi/dz_phi: sin u (SIGNED), 2 sin u (OPPOSITE, INSIDE), 1 (FREE).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tbg_autoregressive.order import Torsion

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_autoregressive.plan import Plan

# Plain numbers: compilation does not follow a comparison of a tensor with an enumeration.
_SIGNED, _OPPOSITE = int(Torsion.SIGNED), int(Torsion.OPPOSITE)
# A frame for atoms that have none (the root, padding): no division by zero, no NaN in gradients.
_SAFE = ((0.1, 0.1, 0.1), (0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (0.1, 0.1, 0.0))


@dataclass(frozen=True)
class Internals:
    """Internal coordinates of B conformations of N atoms in order of placement.

    Attributes:
        z: Unbounded coordinates [B, N, 3]: of r, theta, phi. Zero where there is none.
        phi: Torsions [B, N], radians; FREE ones live here.
        log_volume: log of the volume element of all coordinates [B], without the constant of the root.
        inside: False where a SIGNED torsion has the wrong sign [B]: outside the support.
    """

    z: Tensor
    phi: Tensor
    log_volume: Tensor
    inside: Tensor


def gather(y: Tensor, places: Tensor) -> Tensor:
    """Positions at the given places: y [B, N, 3], places [B, M] -> [B, M, 3]."""
    return y.gather(1, places.unsqueeze(-1).expand(-1, -1, 3))


def internals(y: Tensor, plan: Plan) -> Internals:
    """Internal coordinates of positions y [B, N, 3] in order of placement, in their type; differentiable."""
    corners = [y] + [gather(y, plan.parents[..., k]) for k in range(3)]
    safe = torch.tensor(_SAFE, dtype=y.dtype, device=y.device)
    has = [plan.has[..., k].unsqueeze(-1) for k in (0, 0, 1, 2)]
    a, b, c, d = (torch.where(h, x, s) for h, x, s in zip(has, corners, safe, strict=True))
    u, v, w = a - b, c - b, d - c
    r, base = u.norm(dim=-1), v.norm(dim=-1)
    normal = torch.linalg.cross(u, v, dim=-1)
    area, dot = normal.norm(dim=-1), (u * v).sum(-1)
    tiny = torch.finfo(y.dtype).tiny
    second = (a - c).norm(dim=-1)
    one = plan.has[..., 1] & ~plan.two_parents
    log_r = r.clamp_min(tiny).log()
    z_theta = torch.where(plan.two_parents, second, area.clamp_min(tiny) / (r * base + dot).clamp_min(tiny)).log()
    log_sin = (area / (r * base)).clamp_min(tiny).log()
    # atan2 of the two components of d seen along the bond from b to c.
    axis = v / base.unsqueeze(-1)
    across = torch.linalg.cross(axis, u, dim=-1)
    flat = u - (u * axis).sum(-1, keepdim=True) * axis
    phi = torch.atan2((across * w).sum(-1), (flat * w).sum(-1))
    z_phi, log_j, right = _bounded(phi, plan)
    volume = torch.where(plan.two_parents, 2 * log_r + 2 * second.log() - base.log(), 3 * log_r + 2 * log_sin * one)
    volume = volume * plan.has[..., 0] + log_j
    z = torch.stack([log_r, z_theta, z_phi], dim=-1)
    return Internals(torch.where(plan.stiff, z, 0.0), phi, volume.sum(-1), right)


def _bounded(phi: Tensor, plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    """z_phi and log J of the bounded torsions [B, N], and whether all of a row are on their support [B]."""
    signed, opposite = plan.torsion == _SIGNED, plan.torsion == _OPPOSITE
    delta = torch.where(opposite, torch.where(phi > 0, phi - math.pi, phi + math.pi), phi)
    u = torch.where(signed, plan.sign * phi, 0.5 * (delta + math.pi))
    stiff = plan.stiff[..., 2]
    right = ((u > 0) & (u < math.pi)) | ~stiff
    u = torch.where(right & stiff, u, 0.5 * math.pi)
    log_j = torch.sin(u).log() + torch.where(signed, 0.0, math.log(2.0))
    return torch.tan(0.5 * u).log(), torch.where(stiff, log_j, 0.0), right.all(-1)


def torsion_of(z_phi: Tensor, torsion: int, sign: int) -> Tensor:
    """The bounded torsion that has the coordinate z_phi [B], radians."""
    u = 2.0 * torch.atan(z_phi.exp())
    if torsion == Torsion.SIGNED:
        return sign * u
    delta = 2.0 * u - math.pi
    return delta + math.pi if torsion == Torsion.OPPOSITE else delta


def place(b: Tensor, c: Tensor, d: Tensor, r: Tensor, cos_theta: Tensor, phi: Tensor) -> Tensor:
    """The point a [B, 3] at distance r from b, with angle a-b-c and torsion a-b-c-d; all angles are [B]."""
    axis = torch.nn.functional.normalize(c - b, dim=-1)
    w = d - c
    e1 = torch.nn.functional.normalize(w - (w * axis).sum(-1, keepdim=True) * axis, dim=-1)
    e2 = torch.linalg.cross(axis, e1, dim=-1)
    sin_theta = (1.0 - cos_theta.square()).clamp_min(0.0).sqrt()
    flat = torch.cos(phi).unsqueeze(-1) * e1 - torch.sin(phi).unsqueeze(-1) * e2
    return b + r.unsqueeze(-1) * (cos_theta.unsqueeze(-1) * axis + sin_theta.unsqueeze(-1) * flat)


def frames(b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Right-handed orthonormal axes [..., 3, 3] (rows) at b: along c - b, towards d, and their normal."""
    axis = torch.nn.functional.normalize(c - b, dim=-1)
    w = d - c
    e1 = torch.nn.functional.normalize(w - (w * axis).sum(-1, keepdim=True) * axis, dim=-1)
    return torch.stack([axis, e1, torch.linalg.cross(axis, e1, dim=-1)], dim=-2)
