"""The network: chemistry from the graph, attention of a block to the atoms placed before it, and two heads.

Everything it sees of positions is relative to a block's own frame, so that the density is invariant under rotations and
translations, and tells mirror images apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import silu

from tbg_autoregressive.features import SIZE

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_autoregressive.config import AutoregressiveConfig
    from tbg_autoregressive.plan import Plan

HARMONICS = 4
_COARSE, _FINE = 16, 10
GEOMETRY = 3 + _COARSE + _FINE
"""Features of an atom in a block's frame."""
_KINDS = 5
_PLACEMENT = 2 * _KINDS + 3


def geometry(x: Tensor, origin: Tensor, axes: Tensor) -> Tensor:
    """Features of atoms in a frame: direction, and distance on a coarse and a fine grid.

    Args:
        x: Positions [..., M, 3], nm.
        origin: Of the frame [..., 3].
        axes: Its rows [..., 3, 3].

    Returns:
        [..., M, GEOMETRY].
    """
    local = (x - origin.unsqueeze(-2)) @ axes.transpose(-1, -2)
    distance = local.square().sum(-1, keepdim=True).add(1e-12).sqrt()
    coarse = torch.linspace(0.0, 1.2, _COARSE, dtype=x.dtype, device=x.device)
    fine = torch.linspace(0.1, 0.35, _FINE, dtype=x.dtype, device=x.device)
    return torch.cat(
        [
            local / (0.1 + distance),
            torch.exp(-((distance - coarse) / 0.08).square()),
            torch.exp(-((distance - fine) / 0.025).square()),
        ],
        dim=-1,
    )


def harmonics(phi: Tensor) -> Tensor:
    """cos and sin of 1 to 4 times phi [..., 8]."""
    multiples = phi.unsqueeze(-1) * torch.arange(1, HARMONICS + 1, dtype=phi.dtype, device=phi.device)
    return torch.cat([torch.cos(multiples), torch.sin(multiples)], dim=-1)


class Chemistry(nn.Module):
    """Vectors of atoms [M, N, d] by message passing along bonds; and of their placements and blocks."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.first = nn.Linear(SIZE, width)
        self.message = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.update = nn.ModuleList(_mlp(2 * width, width, width) for _ in range(layers))
        self.placement = _mlp(4 * width + _PLACEMENT, width, width)
        self.block = _mlp(2 * width, width, width)

    def forward(self, plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
        """Vectors of the atoms [M, N, d], of their placements [M, N, d] and of the blocks [M, K, d]."""
        e = self.first(plan.features.to(self.first.weight))
        for message, update in zip(self.message, self.update, strict=True):
            sent = _take(silu(message(e)), plan.neighbours.flatten(1)).unflatten(1, plan.neighbours.shape[1:])
            e = e + update(torch.cat([e, (sent * plan.bonded.unsqueeze(-1)).sum(2)], dim=-1))
        parents = [_take(e, plan.parents[..., k]) * plan.has[..., k, None] for k in range(3)]
        kind = nn.functional.one_hot(plan.torsion, _KINDS)
        sign = plan.sign.unsqueeze(-1)
        how = torch.cat([kind, kind * sign, plan.two_parents.unsqueeze(-1), plan.has[..., 1:]], dim=-1).to(e)
        placed = self.placement(torch.cat([e, *parents, how], dim=-1))
        members = nn.functional.one_hot(plan.block, plan.first.shape[1]).to(e) * plan.mask.unsqueeze(-1)
        total = members.transpose(1, 2) @ placed
        leader = _take(placed, plan.first)
        return e, placed, self.block(torch.cat([leader, total / 4.0], dim=-1))


class Context(nn.Module):
    """Attention of blocks to placed atoms, by their chemistry, position in the block's frame and residuals."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.heads, self.layers = heads, layers
        self.query = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.key = nn.ModuleList(nn.Linear(width + 3, width, bias=False) for _ in range(layers))
        self.where = nn.ModuleList(nn.Linear(GEOMETRY, width, bias=False) for _ in range(layers))
        self.pair = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.weight = nn.ModuleList(nn.Linear(width, heads) for _ in range(layers))
        self.gather = nn.ModuleList(_mlp(width, width, width) for _ in range(layers))
        self.update = nn.ModuleList(_mlp(width, 2 * width, width) for _ in range(layers))

    def keys(self, atoms: Tensor, residual: Tensor) -> list[Tensor]:
        """What each layer needs of atoms [..., N, d] with residuals [..., N, 3]."""
        inputs = torch.cat([atoms, residual.clamp(-5.0, 5.0)], dim=-1)
        return [layer(inputs) for layer in self.key]

    def forward(self, query: Tensor, keys: list[Tensor], where: Tensor, seen: Tensor) -> Tensor:
        """Context of blocks [B, K, d].

        Args:
            query: Static vectors of the blocks [B, K, d].
            keys: Of :meth:`keys`, each [B, N, d].
            where: Geometry of the atoms in the blocks' frames [B, K, N, GEOMETRY].
            seen: Atoms placed before the block [B, K, N].
        """
        h = query
        for layer in range(self.layers):
            pair = silu(self.query[layer](h).unsqueeze(2) + keys[layer].unsqueeze(1) + self.where[layer](where))
            pair = silu(self.pair[layer](pair))
            weight = self.weight[layer](pair).masked_fill(~seen.unsqueeze(-1), -1e4).softmax(dim=2)
            weight = weight * seen.unsqueeze(-1)  # a block that sees nothing gets nothing
            message = torch.einsum("bknh,bknhc->bkhc", weight, pair.unflatten(-1, (self.heads, -1))).flatten(2)
            h = h + self.gather[layer](message)
            h = h + self.update[layer](h)
        return h


class Heads(nn.Module):
    """From a block's context to the parameters of its densities."""

    def __init__(self, config: AutoregressiveConfig) -> None:
        super().__init__()
        width = config.width
        self.outputs = 2 + 3 * config.residual_components
        self.torsion = _mlp(width, width, 4 * config.torsion_components, zero=True)
        self.static = nn.Linear(width, width)
        self.context = nn.Linear(width, width, bias=False)
        self.angle = nn.Linear(2 * HARMONICS, width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, 3 * self.outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def residuals(self, placed: Tensor, context: Tensor, phi: Tensor, block: Tensor) -> Tensor:
        """Parameters of the residuals of the atoms [B, n, 3, 2 + 3 K].

        Args:
            placed: Static vectors of their placements [B, n, d].
            context: Of the blocks [B, K, d].
            phi: FREE torsions of the blocks [B, K], zero where there is none.
            block: The atoms' blocks [B, n].
        """
        common = self.context(context) + self.angle(harmonics(phi).to(context))
        hidden = silu(self.static(placed) + _take(common, block))
        hidden = silu(self.hidden(hidden))
        return self.out(hidden).unflatten(-1, (3, self.outputs))


def _take(x: Tensor, index: Tensor) -> Tensor:
    """Rows of x [B, N, d] at index [B, M]."""
    return x.gather(1, index.unsqueeze(-1).expand(-1, -1, x.shape[-1]))


def _mlp(inputs: int, hidden: int, outputs: int, *, zero: bool = False) -> nn.Sequential:
    layers = nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
    if zero:
        nn.init.zeros_(layers[2].weight)
        nn.init.zeros_(layers[2].bias)
    return layers
