"""The equivariant graph neural network field of the transferable Boltzmann generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tbg_core.contracts.field import Symmetry, VectorField
from tbg_core.molecule.encoder import AtomEncoder, adapt
from tbg_egnn.clock import clock, clock_size
from tbg_egnn.divergence import velocity_and_divergence
from tbg_egnn.layer import EGNNLayer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.system import Batch, System
    from tbg_egnn.config import EGNNConfig

PAPER_RANGE = 15.0


class EGNN(VectorField):
    """E(3)-equivariant field, v = x^L - x^0 with the centroid removed (Klein & Noe 2024, eqs. 8-10).

    The network sees distances only, so it generates both mirror images; the sampler folds them.
    ``output_embedding`` and the last node network belong to the published architecture and parameter counts,
    although nothing reads what they compute.

    Args:
        config: Options; ``n_features`` must be known (:meth:`adapt` finds it).
    """

    symmetry = Symmetry("E3", permutation=True)

    def __init__(self, config: EGNNConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = AtomEncoder(config)
        n_inputs = self.encoder.n_features + clock_size(config.time_frequencies)
        self.embedding = nn.Linear(n_inputs, config.width)
        self.output_embedding = nn.Linear(config.width, n_inputs)
        step = PAPER_RANGE / config.layers
        self.layers = nn.ModuleList(EGNNLayer(config.width, step) for _ in range(config.layers))

    @classmethod
    def adapt(cls, config: EGNNConfig, systems: Sequence[System]) -> EGNNConfig:
        """Fixes the length of the encoding and the molecule: see :func:`tbg_core.molecule.encoder.adapt`."""
        return adapt(config, systems)

    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        """Velocity [B, N, 3]; see :class:`~tbg_core.contracts.field.VectorField`."""
        v = self.displacement(self._embed(t, batch, x), x, batch.pairs(x))
        if batch.mask is None:
            return v - v.mean(dim=1, keepdim=True)
        present = batch.mask.to(x.dtype).unsqueeze(-1)
        return (v - (v * present).sum(1, keepdim=True) / present.sum(1, keepdim=True)) * present

    def displacement(self, h: Tensor, x: Tensor, edge_mask: Tensor) -> Tensor:
        """x^L - x^0 [B, N, 3] from embedded features h [B, N, H]; pure tensor code, fit for compilation."""
        a = (x.unsqueeze(2) - x.unsqueeze(1)).square().sum(-1)
        y = x
        for layer in self.layers:
            h, y = layer(h, y, a, edge_mask)
        return y - x

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the layers (static shapes); the rest is cheap and depends on Python objects."""
        kwargs.setdefault("dynamic", False)
        self.displacement = torch.compile(self.displacement, *args, **kwargs)  # type: ignore[method-assign]

    def velocity_and_divergence(
        self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Velocity and exact divergence [B], by the structured rule of :mod:`tbg_egnn.divergence`.

        That rule works in place; where gradients are recorded, the contract's general one is used.
        """
        if torch.is_grad_enabled():
            return super().velocity_and_divergence(t, x, batch, condition)
        h = self._embed(t, batch, x)
        velocity, divergence = torch.zeros_like(x), torch.zeros(len(x), dtype=torch.float64, device=x.device)
        layers = list(self.layers)
        for row in range(len(x)):
            n = x.shape[1] if batch.mask is None else int(batch.mask[row].sum())
            v, div = velocity_and_divergence(layers, h[row, :n], x[row, :n])  # type: ignore[arg-type]
            velocity[row, :n] = v - v.mean(0, keepdim=True)
            divergence[row] = div
        return velocity, divergence

    def coverage(self, system: System) -> float | None:
        """Share of the atoms whose kind was in training."""
        return self.encoder.coverage(system)

    def atom_classes(self, system: System) -> Tensor:
        """Atoms with equal encodings."""
        return self.encoder.atom_classes(system)

    def _embed(self, t: Tensor, batch: Batch, x: Tensor) -> Tensor:
        features = self.encoder.table(batch, x)
        return self.embedding(torch.cat([features, clock(t, x, self.config.time_frequencies)], dim=-1))  # type: ignore[no-any-return]
