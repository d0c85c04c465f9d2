"""Exact divergence of the EGNN by structured forward-mode differentiation.

One tangent per real coordinate, e_(k,a), is carried through the layers together. Three facts make this much
cheaper than differentiating the network 3N times:

* The coordinate step g of an edge is a scalar, so its derivative needs one vector per edge, whatever the number
  of tangents (``EdgeFactors.p``); the second linear layer of the coordinate network is never applied to tangents.
* In the first layer a tangent moves one atom and no feature: the N - 1 edges at that atom are proportional to
  one vector per edge, and no matrix product over tangents is left.
* In the last layer only the diagonal entries d v_(k,a) / d x_(k,a) are wanted: N - 1 edges per tangent.

What remains in each of the L - 2 layers between are N products [tangents, N H] x [N H, H], one for each receiver: all
that lies between a sender's features and the message is linear in the tangent, and is multiplied out into one matrix
per edge first. The trace over R^{3N} is that over the mean-free space, for v does not change when all atoms are moved
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_egnn.layer import EdgeFactors, EGNNLayer

BLOCK_FLOATS = 1 << 20
"""Floats of the tangents [tangents, N, H] of a block. All of them for 51 atoms: what a block shares is made once."""


def velocity_and_divergence(layers: Sequence[EGNNLayer], h: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Velocity [N, 3] (not yet centred) and divergence (scalar, float64) at one state, without gradients.

    Args:
        layers: The network.
        h: Embedded node features [N, H].
        x: Coordinates [N, 3].
    """
    diff0 = x.unsqueeze(1) - x.unsqueeze(0)
    a = diff0.square().sum(-1)
    y, factors = x, []
    for layer in layers:
        h, y, edge = layer.factors(h, y, a)
        factors.append(edge)
    n = len(x)
    block = max(1, BLOCK_FLOATS // (n * layers[0].width))
    trace = x.new_zeros((), dtype=torch.float64)
    if len(layers) == 1:
        trace = _single_layer_trace(layers[0], factors[0])
    else:
        dh, dx = _first_layer(layers[0], factors[0])
        for start in range(0, 3 * n, block):
            rows = slice(start, start + block)
            atoms = torch.arange(start, min(start + block, 3 * n), device=x.device) // 3
            axes = torch.arange(start, min(start + block, 3 * n), device=x.device) % 3
            trace = trace + _carry(layers[1:], factors[1:], dh[rows], dx[rows], diff0, atoms, axes)
    return y - x, trace - 3.0 * n


def _first_layer(layer: EGNNLayer, k: EdgeFactors) -> tuple[Tensor, Tensor]:
    """Tangents (dh [3N, N, H], dx [3N, N, 3]) after the first layer, for all unit displacements."""
    n, H = k.diff.shape[0], layer.width
    _, _, w_d, w_a = layer.blocks()
    # Both d^2 and a change by 2 diff per unit displacement; the rest is fixed per edge.
    z = (k.s1 * (w_d + w_a)) @ layer.message_out.weight.T
    dm = k.m_gain * z + k.m_side * (k.r * z).sum(-1, keepdim=True)
    dg = (k.p * z).sum(-1)
    # Edge (i, j) under a displacement of its receiver i along axis a: factor 2 diff_ija; of its sender j: minus that.
    own = 2.0 * k.diff
    edge_m = own.unsqueeze(-1) * dm.unsqueeze(2)
    weight = layer.step * (dg * k.reach + k.g * k.d_reach)
    edge_x = own.unsqueeze(-1) * (k.diff * weight.unsqueeze(-1)).unsqueeze(2)
    link = layer.step * (k.g * k.reach)
    eye3 = torch.eye(3, dtype=k.diff.dtype, device=k.diff.device)
    atom = torch.arange(n, device=k.diff.device)
    # Sender displaced: row [j, a] of atom i is minus edge (i, j); receiver displaced: the sum over its edges.
    dm_sum = -edge_m.permute(1, 2, 0, 3).clone()
    dm_sum[atom, :, atom] = edge_m.sum(1)
    dx = -(edge_x + link[..., None, None] * eye3).permute(1, 2, 0, 3).clone()
    dx[atom, :, atom] = edge_x.sum(1) + (1.0 + link.sum(1))[:, None, None] * eye3
    return layer.node_tangent(k, None, dm_sum.reshape(3 * n, n, H)), dx.reshape(3 * n, n, 3)


def _carry(
    layers: Sequence[EGNNLayer],
    factors: Sequence[EdgeFactors],
    dh: Tensor,
    dx: Tensor,
    diff0: Tensor,
    atoms: Tensor,
    axes: Tensor,
) -> Tensor:
    """Carries a block of tangents through all later layers; returns the sum of its diagonal entries."""
    rows = torch.arange(len(atoms), device=dx.device)
    # da: change of the input distances, nonzero only at the displaced atom.
    da = dx.new_zeros(dx.shape[0], dx.shape[1], dx.shape[1])
    da[rows, atoms] = 2.0 * diff0[atoms, :, axes]
    da[rows, :, atoms] = 2.0 * diff0[atoms, :, axes]
    for layer, k in zip(layers[:-1], factors[:-1], strict=True):
        dh, dx = _middle_layer(layer, k, dh, dx, da)
    return _last_layer(layers[-1], factors[-1], dh, dx, da, atoms, axes)


def _middle_layer(layer: EGNNLayer, k: EdgeFactors, dh: Tensor, dx: Tensor, da: Tensor) -> tuple[Tensor, Tensor]:
    receiver, sender, w_d, w_a = layer.blocks()
    n_tangents, n, width = dh.shape
    dd2 = 2.0 * (torch.einsum("tic,ijc->tij", dx, k.diff) - torch.einsum("tjc,ijc->tij", dx, k.diff))
    at_receiver = (dh @ receiver.T).transpose(0, 1).contiguous()
    at_sender = dh @ sender.T
    second, scalars = layer.message_out.weight.T.contiguous(), torch.stack([w_d, w_a])
    attention = k.r @ layer.message_out.weight
    dm_sum = dh.new_empty(n, n_tangents, width)
    matrix = dh.new_empty(n, width, width)
    for i in range(n):
        # What a change of the first pre-activation does to the message (j, i) is a matrix: all senders in one product.
        torch.mul(second, k.m_gain[i].unsqueeze(1), out=matrix)
        matrix.addcmul_(attention[i].unsqueeze(2), k.m_side[i].unsqueeze(1)).mul_(k.s1[i].unsqueeze(2))
        torch.mm(at_sender.view(n_tangents, -1), matrix.view(-1, width), out=dm_sum[i])
        dm_sum[i].addmm_(at_receiver[i], matrix.sum(0))
        of_distance, of_input = (scalars @ matrix).unbind(1)
        dm_sum[i].addmm_(dd2[:, i], of_distance).addmm_(da[:, i], of_input)
    pull = (k.p @ layer.message_out.weight) * k.s1
    dg = (
        torch.einsum("tjh,ijh->tij", at_sender, pull)
        + torch.einsum("ith,ijh->tij", at_receiver, pull)
        + dd2 * (pull @ w_d)
        + da * (pull @ w_a)
    )
    radial = dg * k.reach + k.g * k.d_reach * dd2
    link = k.g * k.reach
    moved = dx * link.sum(1, keepdim=True) - link @ dx + torch.einsum("tij,ijc->tic", radial, k.diff)
    return layer.node_tangent(k, dh, dm_sum.transpose(0, 1)), dx + layer.step * moved


def _last_layer(
    layer: EGNNLayer,
    k: EdgeFactors,
    dh: Tensor,
    dx: Tensor,
    da: Tensor,
    atoms: Tensor,
    axes: Tensor,
) -> Tensor:
    receiver, sender, w_d, w_a = layer.blocks()
    rows = torch.arange(len(atoms), device=dx.device)
    # dg = p . z = (W2^T p) . (s1 dP): the matrix goes to the per-edge factor, not to the tangents.
    pull = (k.p @ layer.message_out.weight) * k.s1
    own = dx[rows, atoms]
    d_diff = own.unsqueeze(1) - dx
    diff = k.diff[atoms]
    dd2 = 2.0 * (d_diff * diff).sum(-1)
    dP = (dh[rows, atoms] @ receiver.T).unsqueeze(1) + dh @ sender.T
    dP = dP + dd2.unsqueeze(-1) * w_d + da[rows, atoms].unsqueeze(-1) * w_a
    dg = (dP * pull[atoms]).sum(-1)
    radial = dg * k.reach[atoms] + k.g[atoms] * k.d_reach[atoms] * dd2
    along = torch.gather(diff, 2, axes.view(-1, 1, 1).expand(-1, diff.shape[1], 1)).squeeze(-1)
    d_along = torch.gather(d_diff, 2, axes.view(-1, 1, 1).expand(-1, diff.shape[1], 1)).squeeze(-1)
    step = layer.step * (d_along * (k.g * k.reach)[atoms] + along * radial).sum(1)
    return (own[rows, axes] + step).sum(dtype=torch.float64)


def _single_layer_trace(layer: EGNNLayer, k: EdgeFactors) -> Tensor:
    _, dx = _first_layer(layer, k)
    n = k.diff.shape[0]
    entry = torch.arange(3 * n, device=dx.device)
    return dx[entry, entry // 3, entry % 3].sum(dtype=torch.float64)
