"""A graph network whose exact divergence costs three reverse passes, whatever the number of atoms.

The velocity of an atom j is read from its displacements to all others, and from an environment of each other atom i
that leaves j out. Displacements of j alone enter the diagonal blocks dv_j/dx_j then, so that one reverse pass through
the read-out gives one diagonal entry of all atoms together (Gloy & Olsson, HollowFlow, 2025, sections 3 and 4). There
the environments come from a line graph of nearest neighbours, which loses edges in every round of messages. Here they
are sums over all atoms with one term taken out again: exact for one round, on the complete graph, as cheap as a layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from tbg_core.contracts.field import Symmetry, VectorField
from tbg_core.molecule.encoder import AtomEncoder, adapt
from tbg_egnn.clock import clock, clock_size
from tbg_egnn.layer import SOFTENING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.system import Batch, System
    from tbg_egnn.config import HollowConfig

CROWD = 4.0
"""What sums over neighbours are divided by: the root of a usual number of them."""


class Environment(NamedTuple):
    """What atom j may know of each atom i without a look at itself: features [B, j, i, H], vectors [B, j, i, C, 3]."""

    features: Tensor
    vectors: Tensor


class HollowField(VectorField):
    """E(3)-equivariant field with analytic structure for its divergence; see the module.

    Args:
        config: Options; ``n_features`` must be known (:meth:`adapt` finds it).
    """

    symmetry = Symmetry("E3", permutation=True)
    upper: Tensor

    def __init__(self, config: HollowConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = AtomEncoder(config)
        H, C = config.width, config.vectors
        self.embedding = nn.Linear(self.encoder.n_features + clock_size(config.time_frequencies), H)
        self.message = _PairNetwork(H, C, extra=0)
        upper = torch.triu_indices(C, C)
        self.register_buffer("upper", upper, persistent=False)
        self.summary = nn.Sequential(nn.Linear(2 * H + upper.shape[1], H), nn.SiLU(), nn.Linear(H, H), nn.SiLU())
        self.listen = _PairNetwork(H, C, extra=H + C)
        self.update = nn.Sequential(nn.Linear(2 * H + upper.shape[1], H), nn.SiLU(), nn.Linear(H, H))
        self.speak = _PairNetwork(H, 1 + C, extra=H + 2 * C + C * C)
        nn.init.xavier_uniform_(self.speak.vectors.weight, gain=0.001)

    @classmethod
    def adapt(cls, config: HollowConfig, systems: Sequence[System]) -> HollowConfig:
        """Fixes the length of the encoding and the molecule: see :func:`tbg_core.molecule.encoder.adapt`."""
        return adapt(config, systems)

    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        """Velocity [B, N, 3]; see :class:`~tbg_core.contracts.field.VectorField`."""
        h, pairs = self._embed(t, batch, x), batch.pairs(x)
        return batch.centre(self.read(h, self.environment(h, x, pairs), x, x, pairs))

    def environment(self, h: Tensor, x: Tensor, pairs: Tensor) -> Environment:
        """Surroundings of every atom i without atom j.

        Args:
            h: Embedded features [B, N, H].
            x: Coordinates [B, N, 3].
            pairs: 1 for pairs of different atoms that are there [B or 1, N, N, 1].
        """
        d2, unit = _steps(x, x)
        m, c = self.message(h, h, d2, pairs)
        u = c.unsqueeze(-1) * unit.unsqueeze(-2)
        # [B, i, j]: the sum over all neighbours of i, less what came from j.
        scalars, vectors = (m.sum(2, keepdim=True) - m) / CROWD, (u.sum(2, keepdim=True) - u) / CROWD
        own = h.unsqueeze(2).expand_as(scalars)
        features = self.summary(torch.cat([own, scalars, self._gram(vectors)], dim=-1))
        return Environment(features.transpose(1, 2), vectors.transpose(1, 2))

    def read(self, h: Tensor, around: Environment, receivers: Tensor, senders: Tensor, pairs: Tensor) -> Tensor:
        """Velocity of each receiver [B, N, 3], which depends on its own coordinates and on those of the senders.

        Args:
            h: Embedded features [B, N, H].
            around: Of :meth:`environment`.
            receivers: Coordinates [B, N, 3] as those that move.
            senders: The same coordinates as those that are looked at.
            pairs: As in :meth:`environment`.
        """
        d2, unit = _steps(receivers, senders)
        along = torch.einsum("bjicx,bjix->bjic", around.vectors, unit)
        m, c = self.listen(h, h, d2, pairs, around.features, along)
        seen = torch.einsum("bjic,bjix->bjcx", c, unit) / CROWD
        # What a receiver has learned of all others it keeps: of a sender i the same would tell j about itself.
        learned = h + self.update(torch.cat([h, m.sum(2) / CROWD, self._gram(seen)], dim=-1))
        across = torch.einsum("bjcx,bjikx->bjick", seen, around.vectors).flatten(-2)
        ahead = torch.einsum("bjcx,bjix->bjic", seen, unit)
        _, c = self.speak(learned, h, d2, pairs, around.features, along, ahead, across)
        lines = torch.einsum("bji,bjix->bjx", c[..., 0], unit)
        return lines + torch.einsum("bjic,bjicx->bjx", c[..., 1:], around.vectors)

    def velocity_and_divergence(
        self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Velocity and exact divergence [B], by three reverse passes through the read-out.

        Where gradients are recorded the contract's general rule is used. Removing the centroid leaves the trace as it
        is, since v does not change when all atoms are moved together.
        """
        if torch.is_grad_enabled():
            return super().velocity_and_divergence(t, x, batch, condition)
        h, pairs = self._embed(t, batch, x), batch.pairs(x)
        around = self.environment(h, x, pairs)
        divergence = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        with torch.enable_grad():
            receivers = x.detach().clone().requires_grad_()
            v = self.read(h, around, receivers, x, pairs)
            for axis in range(3):
                (slope,) = torch.autograd.grad(v[..., axis].sum(), receivers, retain_graph=axis < 2)
                divergence += slope[..., axis].sum(1, dtype=torch.float64)
        return batch.centre(v.detach()), divergence

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles environments and read-out (static shapes); the rest is cheap and depends on Python objects."""
        kwargs.setdefault("dynamic", False)
        self.environment = torch.compile(self.environment, *args, **kwargs)  # type: ignore[method-assign]
        self.read = torch.compile(self.read, *args, **kwargs)  # type: ignore[method-assign]

    def coverage(self, system: System) -> float | None:
        """Share of the atoms whose kind was in training."""
        return self.encoder.coverage(system)

    def atom_classes(self, system: System) -> Tensor:
        """Atoms with equal encodings."""
        return self.encoder.atom_classes(system)

    def _embed(self, t: Tensor, batch: Batch, x: Tensor) -> Tensor:
        features = self.encoder.table(batch, x)
        return self.embedding(torch.cat([features, clock(t, x, self.config.time_frequencies)], dim=-1))  # type: ignore[no-any-return]

    def _gram(self, vectors: Tensor) -> Tensor:
        """Inner products [..., C (C + 1) / 2] of vectors [..., C, 3]."""
        products = vectors @ vectors.transpose(-1, -2)
        return products[..., self.upper[0], self.upper[1]]


class _PairNetwork(nn.Module):
    """Message m [B, j, i, H] of each pair, and C weights of its direction.

    Args:
        width: Features of an atom, and hidden width, H.
        vectors: Weights C.
        extra: Further invariants of a pair.
    """

    def __init__(self, width: int, vectors: int, extra: int) -> None:
        super().__init__()
        self.receiver = nn.Linear(width, width)
        self.sender = nn.Linear(width, width, bias=False)
        self.pair = nn.Linear(3 + extra, width, bias=False)
        self.out = nn.Linear(width, width)
        self.vectors = nn.Linear(width, vectors, bias=False)

    def forward(
        self, of_receivers: Tensor, of_senders: Tensor, d2: Tensor, pairs: Tensor, *extra: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Message [B, N, N, H] and weights [B, N, N, C] from -1 to 1.

        Args:
            of_receivers: Features [B, N, H] of the atoms that are told.
            of_senders: Features [B, N, H] of those that tell.
            d2: Their squared distances [B, N, N].
            pairs: 1 for the pairs of different atoms that are there [B or 1, N, N, 1].
            extra: Further invariants [B, N, N, ...] of each pair.
        """
        d = (d2 + SOFTENING).sqrt()
        invariants = torch.cat([torch.stack([d2, d, 1.0 / (1.0 + d2)], dim=-1), *extra], dim=-1)
        m = self.receiver(of_receivers).unsqueeze(2) + self.sender(of_senders).unsqueeze(1) + self.pair(invariants)
        m = nn.functional.silu(self.out(nn.functional.silu(m))) * pairs
        return m, self.vectors(m).tanh()


def _steps(receivers: Tensor, senders: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances [B, N, N] and displacements over 1 + d, from sender to receiver [B, N, N, 3]."""
    diff = receivers.unsqueeze(2) - senders.unsqueeze(1)
    d2 = diff.square().sum(-1)
    return d2, diff / (1.0 + (d2 + SOFTENING).sqrt()).unsqueeze(-1)
