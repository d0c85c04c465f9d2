"""The tensor-product field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from tbg_core.contracts.field import Symmetry, VectorField
from tbg_core.molecule.encoder import AtomEncoder, adapt
from tbg_e3nn.divergence import trace
from tbg_e3nn.layer import Radial, TensorProductLayer, squared_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.system import Batch, System
    from tbg_e3nn.config import TensorProductConfig

_NEAR_DATA: Final = 0.02


class TensorProductField(VectorField):
    """v = y^L - x with the centroid removed; y moves from layer to layer as the features of its atoms say.

    It commutes with rotations and translations, and with relabelling of atoms of equal encodings. With
    ``mix_parities`` it does not commute with reflections, so that its density may differ between mirror images.

    Args:
        config: Options; ``n_features`` must be known (:meth:`adapt` finds it).
    """

    def __init__(self, config: TensorProductConfig) -> None:
        super().__init__()
        self.config = config
        self.symmetry = Symmetry("SE3" if config.mix_parities else "E3", permutation=True)
        self.encoder = AtomEncoder(config)
        self.embedding = nn.Linear(self.encoder.n_features + 2 + 2 * config.time_frequencies, config.scalars)
        self.radial = Radial()
        last = config.layers - 1
        self.layers = nn.ModuleList(
            TensorProductLayer(config, first=i == 0, last=i == last) for i in range(config.layers)
        )

    @classmethod
    def adapt(cls, config: TensorProductConfig, systems: Sequence[System]) -> TensorProductConfig:
        """Fixes the length of the encoding and the molecule: see :func:`tbg_core.molecule.encoder.adapt`."""
        return adapt(config, systems)

    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        """Velocity [B, N, 3]; see :class:`~tbg_core.contracts.field.VectorField`."""
        return batch.centre(self.displacement(self._embed(t, batch, x), x, batch.pairs(x)))

    def displacement(self, s: Tensor, x: Tensor, edge_mask: Tensor) -> Tensor:
        """y^L - x [B, N, 3] from embedded scalars s [B, N, S]; pure tensor code, fit for compilation."""
        features: list[Tensor] = []
        y, inputs = x, self.inputs(x)
        for i, layer in enumerate(self.layers):
            s, features, y = layer(s, features, y, inputs if i else None, edge_mask)
        return y - x

    def inputs(self, x: Tensor) -> Tensor:
        """Functions of the distances at the input [B, N, N, R], which all layers but the first are shown."""
        return self.radial(squared_distances(x))  # type: ignore[no-any-return]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the layers (static shapes); the rest is cheap and depends on Python objects."""
        kwargs.setdefault("dynamic", False)
        self.displacement = torch.compile(self.displacement, *args, **kwargs)  # type: ignore[method-assign]

    def velocity_and_divergence(
        self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Velocity and exact divergence [B], by the structured rule of :mod:`tbg_e3nn.divergence`.

        That rule keeps no graph; where gradients are recorded, and for one layer, the contract's general one is used.
        """
        if torch.is_grad_enabled() or len(self.layers) == 1:
            return super().velocity_and_divergence(t, x, batch, condition)
        s = self._embed(t, batch, x)
        divergence = torch.empty(len(x), dtype=torch.float64, device=x.device)
        sizes = torch.full_like(batch.index, x.shape[1]) if batch.mask is None else batch.mask.sum(1)
        for n in sizes.unique().tolist():
            rows = (sizes == n).nonzero()[:, 0]
            divergence[rows] = trace(self, s[rows, :n], x[rows, :n])
        return self(t, x, batch, condition), divergence

    def coverage(self, system: System) -> float | None:
        """Share of the atoms whose kind was in training."""
        return self.encoder.coverage(system)

    def atom_classes(self, system: System) -> Tensor:
        """Atoms with equal encodings."""
        return self.encoder.atom_classes(system)

    def _embed(self, t: Tensor, batch: Batch, x: Tensor) -> Tensor:
        time = t.to(x).view(-1, 1)
        k = torch.arange(1, self.config.time_frequencies + 1, dtype=x.dtype, device=x.device)
        # Stiff bonds are resolved in the last few per cent of the path, which the logarithm spreads.
        near = 1.0 + 0.5 * (1.0 + _NEAR_DATA - time).log()
        clock = torch.cat([time, near, (math.pi * time * k).sin(), (math.pi * time * k).cos()], dim=1)
        clock = clock.unsqueeze(1).expand(-1, x.shape[1], -1)
        return self.embedding(torch.cat([self.encoder.table(batch, x), clock], dim=-1))  # type: ignore[no-any-return]
