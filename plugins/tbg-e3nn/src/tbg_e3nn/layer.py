"""One layer: messages from invariants of a pair, tensor products with its harmonics, a step of the coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tbg_e3nn.couplings import Harmonics, couplings

if TYPE_CHECKING:
    from tbg_e3nn.config import TensorProductConfig

CROWD = 4.0
"""What sums over neighbours are divided by: the root of a usual number of them, so that they are of unit size."""


def squared_distances(x: Tensor) -> Tensor:
    """[B, N, N] of coordinates [B, N, 3]."""
    return (x.unsqueeze(2) - x.unsqueeze(1)).square().sum(-1)


class Radial(nn.Module):
    """Functions of a distance, smooth where it vanishes: the softened distance itself and Gaussians of it.

    Attributes:
        size: Number of functions R.
    """

    centres: Tensor

    def __init__(self, count: int = 8, reach: float = 4.0, softening: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.0, reach, count), persistent=False)
        self.spacing, self.softening, self.size = reach / (count - 1), softening, count + 1

    def forward(self, d2: Tensor) -> Tensor:
        """[..., R] of squared distances [...]."""
        d = (d2 + self.softening**2).sqrt().unsqueeze(-1)
        return torch.cat([d, torch.exp(-0.5 * ((d - self.centres) / self.spacing).square())], dim=-1)


class TensorProductLayer(nn.Module):
    """Updates scalars s [B, N, S], features of degree l = 1..lmax, each [B, N, 2l + 1, C], and coordinates.

    A pair of atoms is described by invariants: its scalars, functions of its distance, and the products of the features
    of both with the harmonics of their displacement. A perceptron makes a message of them, and the message the
    weights, one per channel, of the tensor products that are summed over the neighbours.

    Args:
        config: Sizes.
        first: No features yet: all are zero, and the coordinates are those of the input.
        last: Only coordinates are wanted.
    """

    def __init__(self, config: TensorProductConfig, *, first: bool, last: bool) -> None:
        super().__init__()
        scalars, width, channels = config.scalars, config.edge_width, config.channels
        self.first, self.last = first, last
        self.harmonics, self.radial = Harmonics(config.lmax), Radial()
        self.degrees = [] if first else list(range(1, config.lmax + 1))
        self.wanted = [1] if last else list(range(1, config.lmax + 1))
        self.receiver = nn.Linear(scalars, width)
        self.sender = nn.Linear(scalars, width, bias=False)
        self.distance = nn.Linear(self.radial.size * (1 if first else 2), width, bias=False)
        self.along = nn.ModuleList(nn.Linear(channels, 2 * width, bias=False) for _ in self.degrees)
        self.message = nn.Linear(width, width)
        self.weights = nn.Linear(width, channels * (len(self.wanted) + len(self.degrees)))
        paths = [] if first else couplings(config.lmax, mix_parities=config.mix_parities)
        self.paths = [p for p in paths if p.l3 in self.wanted]
        self.tensors = [p.tensor for p in self.paths]
        incoming = [1 + (degree in self.degrees) + sum(p.l3 == degree for p in self.paths) for degree in self.wanted]
        self.mix = nn.ModuleList(nn.Linear(count * channels, channels, bias=False) for count in incoming)
        self.node = nn.Linear(scalars + width + channels * len(self.degrees), scalars)
        self.gate = nn.Linear(scalars, channels * len(self.wanted))
        self.update = None if last else nn.Linear(scalars, scalars)
        self.step = nn.Linear(channels, 1, bias=False)
        nn.init.normal_(self.step.weight, std=0.02)

    def forward(
        self, s: Tensor, features: list[Tensor], y: Tensor, inputs: Tensor | None, edge_mask: Tensor
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """New scalars, features and coordinates.

        Args:
            s: Scalars [B, N, S].
            features: Features of degree l = 1..lmax, [B, N, 2l + 1, C] each; empty in the first layer.
            y: Coordinates [B, N, 3].
            inputs: Functions of the distances at the network's input [B, N, N, R]; None in the first layer.
            edge_mask: 1 where a message passes [B or 1, N, N, 1].
        """
        diff = y.unsqueeze(2) - y.unsqueeze(1)
        return self.advance(s, features, y, *self.gather(diff, (s, features), (s, features), inputs, edge_mask))

    def gather(
        self,
        diff: Tensor,
        receivers: tuple[Tensor, list[Tensor]],
        senders: tuple[Tensor, list[Tensor]],
        inputs: Tensor | None,
        edge_mask: Tensor,
    ) -> tuple[Tensor, list[Tensor]]:
        """What receivers [B, M] are told by senders [B, N] at displacements ``diff`` [B, M, N, 3].

        Returns:
            Sums of messages [B, M, W], and for each wanted degree those of tensor products [B, M, 2l + 1, K C].
        """
        (s, features), (sent_s, sent) = receivers, senders
        d2 = diff.square().sum(-1)
        # Bounded, and a smooth function of the displacement everywhere: no square root vanishes.
        Y = self.harmonics(diff * (1.0 + d2).rsqrt().unsqueeze(-1))
        distances = self.radial(d2)
        pair = distances if inputs is None else torch.cat([distances, inputs], dim=-1)
        z = self.distance(pair) + self.receiver(s).unsqueeze(2) + self.sender(sent_s).unsqueeze(1)
        for mix, ours, theirs, harmonic in zip(self.along, features, sent, Y, strict=False):
            at_receiver, _ = mix(ours).chunk(2, dim=-1)
            _, at_sender = mix(theirs).chunk(2, dim=-1)
            z = z + torch.einsum("bijm,bimc->bijc", harmonic, at_receiver)
            z = z + torch.einsum("bijm,bjmc->bijc", harmonic, at_sender)
        m = F.silu(self.message(F.silu(z))) * (edge_mask / CROWD)
        # The bias of the weights is masked as the message is.
        weights = (self.weights(m) * edge_mask).split(self.step.in_features, dim=-1)
        sums = self._products(weights, sent, Y)
        return m.sum(2), [torch.cat(terms, dim=-1) for terms in sums]

    def advance(
        self, s: Tensor, features: list[Tensor], y: Tensor, told: Tensor, sums: list[Tensor]
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """New scalars, features and coordinates of atoms, from what :meth:`gather` found."""
        invariants = [(1.0 + f.square().sum(-2)).sqrt() - 1.0 for f in features]
        hidden = F.silu(self.node(torch.cat([s, told, *invariants], dim=-1)))
        gates = self.gate(hidden).unsqueeze(-2).split(self.step.in_features, dim=-1)
        steps = [mix(terms) * gate for mix, terms, gate in zip(self.mix, sums, gates, strict=True)]
        features = steps if self.first else [f + step for f, step in zip(features, steps, strict=False)]
        y = y + self.step(features[0]).squeeze(-1)
        return (s if self.update is None else s + self.update(hidden)), features, y

    def _products(self, weights: tuple[Tensor, ...], features: list[Tensor], Y: list[Tensor]) -> list[list[Tensor]]:
        """For each wanted degree l the weighted sums over senders [B, M, 2l + 1, C] of all that leads to it."""
        sums = [
            [torch.einsum("bijm,bijc->bimc", Y[degree - 1], w)]
            for degree, w in zip(self.wanted, weights[: len(self.wanted)], strict=True)
        ]
        for degree, w in zip(self.degrees, weights[len(self.wanted) :], strict=True):
            sent = w.unsqueeze(3) * features[degree - 1].unsqueeze(1)  # [B, M, N, 2l + 1, C]
            if degree in self.wanted:
                sums[self.wanted.index(degree)].append(sent.sum(2))
            for path, tensor in zip(self.paths, self.tensors, strict=True):
                if path.l1 == degree:
                    # The coupling acts on an edge whatever the channel, so that one product serves all of them.
                    turn = torch.einsum("bijn,mnk->bijmk", Y[path.l2 - 1], tensor.to(sent))
                    sums[self.wanted.index(path.l3)].append(torch.einsum("bijmk,bijmc->bikc", turn, sent))
        return sums
