"""Optimal superposition of point sets, in batches: rotations, and exchanges of points that are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_ROUNDS = 5
"""Most turns and exchanges by turns: a bound on the work, for a coupling need not be the best one."""


def optimal_rotation(x: Tensor, y: Tensor, *, reflections: bool = False) -> Tensor:
    """The rotation R [B, 3, 3] that minimises sum_i |R x_i - y_i|^2 of each row, in the type of ``x``.

    The best unit quaternion is the top eigenvector of a symmetric 4x4 matrix K, linear in the covariance of
    x and y. Mirroring x turns K into -K, so the best improper rotation comes from the bottom one: there is no
    sign of a determinant to mind, and no trouble with planar or collinear points. Done in float64.
    Source: B. K. P. Horn, J. Opt. Soc. Am. A 4 (1987) 629.

    Args:
        x: Centred points [B, N, 3]; padded ones are zero.
        y: Centred points [B, N, 3].
        reflections: Search O(3) instead of SO(3).
    """
    s = x.double().transpose(1, 2) @ y.double()  # s[a, b] = sum_i x_ia y_ib
    trace = s.diagonal(dim1=1, dim2=2).sum(dim=1)
    curl = torch.stack([s[:, 1, 2] - s[:, 2, 1], s[:, 2, 0] - s[:, 0, 2], s[:, 0, 1] - s[:, 1, 0]], dim=1)
    k = s.new_zeros(len(s), 4, 4)
    k[:, 0, 0] = trace
    k[:, 0, 1:] = curl
    k[:, 1:, 0] = curl
    k[:, 1:, 1:] = s + s.transpose(1, 2) - trace[:, None, None] * torch.eye(3, dtype=s.dtype, device=s.device)
    values, vectors = torch.linalg.eigh(k)
    rotation = _rotation_matrix(vectors[:, :, -1])
    if reflections:
        mirrored = -values[:, 0] > values[:, -1]
        rotation = torch.where(mirrored[:, None, None], -_rotation_matrix(vectors[:, :, 0]), rotation)
    return rotation.to(x)


def align(x: Tensor, y: Tensor, *, reflections: bool = False) -> Tensor:
    """``x`` [B, N, 3] turned onto ``y``; see :func:`optimal_rotation`."""
    return x @ optimal_rotation(x, y, reflections=reflections).transpose(1, 2)


def align_alike(x: Tensor, y: Tensor, alike: Sequence[Sequence[Tensor]], *, reflections: bool = False) -> Tensor:
    """``x`` [B, N, 3] with alike points exchanged and turned onto ``y``, by turns until neither brings them closer.

    Each exchange is the best for its rotation and each rotation for its exchange; both together may not be, which a
    coupling does not need. Source: Klein, Krämer and Noé, "Equivariant flow matching", NeurIPS 2023.

    Args:
        x: Centred points [B, N, 3]; padded ones are zero.
        y: Centred points [B, N, 3].
        alike: For each row, the sets of points that may be exchanged among themselves: indices [n], n > 1.
        reflections: Search O(3) instead of SO(3).
    """
    x = align(x, y, reflections=reflections)
    for _ in range(_ROUNDS):
        order = _best_order(x, y, alike)
        moved = (order != torch.arange(x.shape[1])).any(dim=1).to(x.device)
        if not moved.any():
            break
        exchanged = x.gather(1, order.to(x.device).unsqueeze(-1).expand_as(x))
        x = torch.where(moved[:, None, None], align(exchanged, y, reflections=reflections), x)
    return x


def _best_order(x: Tensor, y: Tensor, alike: Sequence[Sequence[Tensor]]) -> Tensor:
    """The point of ``x`` to put in each place [B, N], so that sum_i |x_order(i) - y_i|^2 is least."""
    overlap = (y.double() @ x.double().transpose(1, 2)).cpu()
    order = torch.arange(x.shape[1]).repeat(len(x), 1)
    for b, sets in enumerate(alike):
        for members in sets:
            block = overlap[b][members[:, None], members]
            order[b, members] = members[linear_sum_assignment(block.numpy(), maximize=True)[1]]
    return order


def _rotation_matrix(q: Tensor) -> Tensor:
    """Rotation matrices [B, 3, 3] of unit quaternions (w, x, y, z) [B, 4]."""
    w, v = q[:, :1, None], q[:, 1:]
    outer = v[:, :, None] * v[:, None, :]
    zero = torch.zeros_like(v[:, 0])
    cross = torch.stack([zero, -v[:, 2], v[:, 1], v[:, 2], zero, -v[:, 0], -v[:, 1], v[:, 0], zero], dim=1)
    eye = torch.eye(3, dtype=q.dtype, device=q.device)
    return (2 * w.square() - 1) * eye + 2 * outer + 2 * w * cross.view(-1, 3, 3)
