"""Exact divergence of the tensor-product field by structured forward-mode differentiation.

One tangent per coordinate, atom k along axis a, is carried through the layers. Two facts save the work of two layers:

* In the first layer the terms of a pair depend on its displacement alone. Their derivatives along three axes, taken
  once for each pair, make up those of all 3N tangents: a displacement of k changes the terms of k with all others.
* In the last layer only the step of atom k itself is wanted, which N - 1 of the N (N - 1) pairs make.

The trace over R^{3N} of the uncentred step is that on the mean-free space, for it does not change when all atoms
are moved together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor
from torch.func import jvp, vmap

if TYPE_CHECKING:
    from tbg_e3nn.field import TensorProductField
    from tbg_e3nn.layer import TensorProductLayer

PASS: Final = 1 << 22
"""Numbers [states, tangents, N, N, width] that are computed in one pass; more of them leave a core's cache."""


def trace(field: TensorProductField, s: Tensor, x: Tensor) -> Tensor:
    """Divergence [B], float64, at states without padding, without gradients, of a field of at least two layers.

    Args:
        field: The field.
        s: Embedded scalars [B, N, S].
        x: Coordinates [B, N, 3].
    """
    n = x.shape[1]
    size = n * n * field.config.edge_width
    states, tangents = max(1, PASS // (3 * n * size)), max(1, PASS // size)
    return torch.cat([_trace(field, *rows, tangents) for rows in zip(s.split(states), x.split(states), strict=True)])


def _trace(field: TensorProductField, s: Tensor, x: Tensor, tangents: int) -> Tensor:
    """The same, of few states, so many tangents at a time."""
    n = x.shape[1]
    first, *middle, last = field.layers
    told, d_told = _first_layer(first, s, x)  # type: ignore[arg-type]
    eye = torch.eye(n, dtype=x.dtype, device=x.device)
    mask = (1.0 - eye).view(1, n, n, 1)

    def own_position(told: list[Tensor], x: Tensor, own: Tensor) -> Tensor:
        """Coordinates [B, 3] after the last layer of the atom that ``own`` [N] picks."""
        h, features, y = first.advance(s, [], x, told[0], told[1:])
        inputs = field.inputs(x)
        for layer in middle:
            h, features, y = layer(h, features, y, inputs, mask)
        at, whole = _pick(own, h), [_pick(own, f) for f in features]
        diff = _pick(own, y).unsqueeze(2) - y.unsqueeze(1)
        sums = last.gather(diff, (at, whole), (h, features), _pick(own, inputs), (1.0 - own).view(1, 1, n, 1))
        return last.advance(at, whole, _pick(own, y), *sums)[2].squeeze(1)

    def entry(own: Tensor, axis: Tensor, d_told: list[Tensor]) -> Tensor:
        dx = (own.unsqueeze(1) * axis).expand_as(x)
        _, change = jvp(lambda told, x: own_position(told, x, own), (told, x), (d_told, dx))  # type: ignore[misc]
        return change @ axis

    owners = eye.repeat_interleave(3, dim=0)
    axes = torch.eye(3, dtype=x.dtype, device=x.device).repeat(n, 1)
    diagonal = [
        vmap(entry)(owners[i : i + tangents], axes[i : i + tangents], [d[i : i + tangents] for d in d_told])
        for i in range(0, 3 * n, tangents)
    ]
    return torch.cat(diagonal).sum(0, dtype=torch.float64) - 3.0 * n


def _first_layer(layer: TensorProductLayer, s: Tensor, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """What the first layer gathers, [B, N, ...] each, and its derivatives along unit displacements [3N, B, N, ...]."""
    b, n = x.shape[:2]
    receivers = s.unsqueeze(2).expand(-1, -1, n, -1).reshape(b * n * n, 1, -1)
    senders = s.unsqueeze(1).expand(-1, n, -1, -1).reshape(b * n * n, 1, -1)
    eye = torch.eye(n, dtype=x.dtype, device=x.device)
    mask = (1.0 - eye).expand(b, n, n).reshape(b * n * n, 1, 1, 1)
    diff = (x.unsqueeze(2) - x.unsqueeze(1)).reshape(b * n * n, 1, 1, 3)

    def terms(diff: Tensor) -> list[Tensor]:
        """Each pair as a system of its own, of one receiver and one sender."""
        told, sums = layer.gather(diff, (receivers, []), (senders, []), None, mask)
        return [told, *sums]

    def along(axis: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        return jvp(terms, (diff,), (axis.expand_as(diff),))  # type: ignore[no-any-return]

    values, slopes = vmap(along)(torch.eye(3, dtype=x.dtype, device=x.device))
    told, d_told = [], []
    for value, flat in zip(values, slopes, strict=True):
        shape = value.shape[3:]
        told.append(value[0].view(b, n, n, *shape).sum(2))
        slope = flat.view(3, b, n, n, *shape)  # [axis, state, receiver, sender, ...]
        # Atom k moved: as sender it changes one term of each receiver, as receiver all of its own.
        change = -slope.permute(3, 0, 1, 2, *range(4, slope.ndim))  # [k, axis, state, receiver, ...]
        own = eye.view(n, 1, 1, n, *(1,) * len(shape))
        change = change + own * slope.sum(3)
        d_told.append(change.reshape(3 * n, b, n, *shape))
    return told, d_told


def _pick(own: Tensor, rows: Tensor) -> Tensor:
    """The row [B, 1, ...] of ``rows`` [B, N, ...] that ``own`` [N] is 1 at."""
    return torch.einsum("n,bn...->b...", own, rows).unsqueeze(1)
