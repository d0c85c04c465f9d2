"""One message-passing layer: forward, and forward-mode derivative with shared per-edge factors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SOFTENING = 1e-8


class EdgeFactors(NamedTuple):
    """Per-edge quantities of one layer at one state, all that its derivative in any direction needs.

    Shapes: [N, N, H] for ``s1`` (slope of the first activation), ``m_gain`` (e s2', the diagonal part of
    dm/dz), ``m_side`` (e' m2), ``r`` (w_a s2'), ``p`` (dg/dz); [N, N] for ``g`` and ``reach`` = 1/(d + 1);
    [N, N, 3] for ``diff``. z is the pre-activation of the second linear layer of the message.
    """

    s1: Tensor
    m_gain: Tensor
    m_side: Tensor
    r: Tensor
    p: Tensor
    g: Tensor
    reach: Tensor
    d_reach: Tensor
    diff: Tensor
    node_slope: Tensor


class EGNNLayer(nn.Module):
    """Equations (8)-(10) of Klein & Noe (2024): messages with soft attention, bounded coordinate steps.

    Args:
        width: Hidden width H.
        step: Range c of the coordinate update, 15 / L for L layers.
    """

    def __init__(self, width: int, step: float) -> None:
        super().__init__()
        self.width, self.step = width, step
        self.message_in = nn.Linear(2 * width + 2, width)
        self.message_out = nn.Linear(width, width)
        self.attention = nn.Linear(width, 1)
        self.coordinate_in = nn.Linear(width, width)
        self.coordinate_out = nn.Linear(width, 1, bias=False)
        self.node_in = nn.Linear(2 * width, width)
        self.node_out = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.coordinate_out.weight, gain=0.001)

    def blocks(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """First message layer by its inputs: receiver, sender, d^2, a.

        Applying the two node blocks before the outer sum costs N instead of N^2 matrix rows.
        """
        weight, H = self.message_in.weight, self.width
        return weight[:, :H], weight[:, H : 2 * H], weight[:, 2 * H], weight[:, 2 * H + 1]

    def forward(self, h: Tensor, x: Tensor, a: Tensor, edge_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Updates features and coordinates.

        Args:
            h: Node features [B, N, H].
            x: Coordinates [B, N, 3].
            a: Squared distances at the network's input [B, N, N].
            edge_mask: 1 where a message passes [B or 1, N, N, 1]; zero on the diagonal.

        Returns:
            The new h and x.
        """
        receiver, sender, w_d, w_a = self.blocks()
        diff = x.unsqueeze(2) - x.unsqueeze(1)
        d2 = diff.square().sum(-1)
        m = (
            F.linear(h, receiver, self.message_in.bias).unsqueeze(2)
            + F.linear(h, sender).unsqueeze(1)
            + d2.unsqueeze(-1) * w_d
            + a.unsqueeze(-1) * w_a
        )
        m = F.silu(self.message_out(F.silu(m)))
        m = m * torch.sigmoid(self.attention(m)) * edge_mask
        g = torch.tanh(self.coordinate_out(F.silu(self.coordinate_in(m)))) * edge_mask
        reach = 1.0 / ((d2 + SOFTENING).sqrt() + 1.0)
        x = x + self.step * (diff * (reach.unsqueeze(-1) * g)).sum(2)
        h = h + self.node_out(F.silu(self.node_in(torch.cat([h, m.sum(2)], dim=-1))))
        return h, x

    def factors(self, h: Tensor, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor, EdgeFactors]:
        """Forward pass of one state (h [N, H], x [N, 3], a [N, N]) that keeps what derivatives need."""
        receiver, sender, w_d, w_a = self.blocks()
        diff = x.unsqueeze(1) - x.unsqueeze(0)
        d2 = diff.square().sum(-1)
        off_diagonal = 1.0 - torch.eye(len(x), dtype=x.dtype, device=x.device)
        first = (
            F.linear(h, receiver, self.message_in.bias).unsqueeze(1)
            + F.linear(h, sender).unsqueeze(0)
            + d2.unsqueeze(-1) * w_d
            + a.unsqueeze(-1) * w_a
        )
        m1, s1 = _silu_and_slope(first)
        m2, s2 = _silu_and_slope(self.message_out(m1))
        e = torch.sigmoid(self.attention(m2)) * off_diagonal.unsqueeze(-1)
        de = e * (1.0 - e)
        m = e * m2
        q, sq = _silu_and_slope(self.coordinate_in(m))
        g = torch.tanh(self.coordinate_out(q)).squeeze(-1) * off_diagonal
        # dg/dm: one vector per edge serves every direction, because g is a scalar.
        g_m = (sq * self.coordinate_out.weight) @ self.coordinate_in.weight
        g_m = g_m * ((1.0 - g.square()) * off_diagonal).unsqueeze(-1)
        w_att = self.attention.weight
        m_gain, m_side, r = e * s2, de * m2, w_att * s2
        p = m_gain * g_m + r * (m_side * g_m).sum(-1, keepdim=True)
        distance = (d2 + SOFTENING).sqrt()
        reach = 1.0 / (distance + 1.0)
        # d reach / d(d2)
        d_reach = -reach.square() / (2.0 * distance)
        node, node_slope = _silu_and_slope(self.node_in(torch.cat([h, m.sum(1)], dim=-1)))
        x_new = x + self.step * (diff * (reach * g).unsqueeze(-1)).sum(1)
        return (
            h + self.node_out(node),
            x_new,
            EdgeFactors(s1, m_gain, m_side, r, p, g, reach, d_reach, diff, node_slope),
        )

    def node_tangent(self, k: EdgeFactors, dh: Tensor | None, dm_sum: Tensor) -> Tensor:
        """Tangent of the new h [T, N, H] from those of h (None for zero) and of the summed messages."""
        W, H = self.node_in.weight, self.width
        inner = dm_sum @ W[:, H:].T
        if dh is not None:
            inner = inner + dh @ W[:, :H].T
        out = (inner * k.node_slope) @ self.node_out.weight.T
        return out if dh is None else dh + out


def _silu_and_slope(z: Tensor) -> tuple[Tensor, Tensor]:
    s = torch.sigmoid(z)
    y = z * s
    return y, s + y * (1.0 - s)
