"""A plain network on R^d."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from typing_extensions import override

from tbg_core.contracts.field import VectorField
from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.system import Batch, System
    from tbg_toys.config import MLPConfig


class MLP(VectorField):
    """Multilayer perceptron of the state, the time in a Fourier basis, and the condition; no symmetry."""

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        self.config = config
        self.frequencies = [math.pi * (k + 1) for k in range(config.time_features)]
        self.dim = config.dim or 2
        width = self.dim + 1 + 2 * config.time_features + config.condition_dim
        layers: list[nn.Module] = []
        for _ in range(config.depth):
            layers += [nn.Linear(width, config.width), nn.SiLU()]
            width = config.width
        self.layers = nn.Sequential(*layers, nn.Linear(width, self.dim))

    @classmethod
    @override
    def adapt(cls, config: MLPConfig, systems: Sequence[System]) -> MLPConfig:
        """Takes the dimension of the training systems where none was given."""
        if config.dim is not None or len(systems[0].space.event_shape) != 1:
            return config
        return config.model_copy(update={"dim": systems[0].space.dim})

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        given = 0 if condition is None else condition.shape[1]
        if x.shape[1:] != (self.dim,):
            raise UnsupportedSystemError(
                f"Field mlp has dimension {self.dim}, the system's states have shape {tuple(x.shape[1:])}.",
                fix=f"Set dim to {x.shape[1]}." if x.ndim == 2 else "Use a field for molecules.",
            )
        if given != self.config.condition_dim:
            raise UnsupportedSystemError(
                f"Field mlp expects {self.config.condition_dim} conditioning values, got {given}."
            )
        t = t.to(x.dtype).unsqueeze(1)
        phase = t * torch.tensor(self.frequencies, dtype=x.dtype, device=x.device)
        parts = [x, t, torch.sin(phase), torch.cos(phase)]
        if condition is not None:
            parts.append(condition.to(x.dtype))
        velocity: Tensor = self.layers(torch.cat(parts, dim=1))
        return velocity
