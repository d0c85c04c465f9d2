"""A field whose flow is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from typing_extensions import override

from tbg_core.contracts.field import VectorField
from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from tbg_core.contracts.system import Batch
    from tbg_toys.config import LinearConfig


class Linear(VectorField):
    """v(t, x) = (1 + ramp t) A x with a trainable A.

    A(t) commutes with itself at all times, so that the flow from t0 to t1 is the exponential of
    A (s + ramp s^2/2) between them, and its log-determinant the trace.
    """

    def __init__(self, config: LinearConfig) -> None:
        super().__init__()
        self.ramp = config.ramp
        self.matrix = nn.Parameter(torch.tensor(config.matrix, dtype=torch.float64))

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        if x.shape[1:] != (len(self.matrix),):
            raise UnsupportedSystemError(
                f"Field linear has dimension {len(self.matrix)}, the system's states have shape {tuple(x.shape[1:])}.",
                fix="Give a matrix of the system's dimension.",
            )
        pace = (1.0 + self.ramp * t).to(x.dtype).unsqueeze(1)
        # A sum of products and no matrix product, whose last digit depends on the size of the batch.
        return pace * (x.unsqueeze(1) * self.matrix.to(x.dtype)).sum(dim=2)

    @override
    def velocity_and_divergence(
        self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Velocity and (1 + ramp t) tr A."""
        divergence = (1.0 + self.ramp * t.to(torch.float64)) * torch.trace(self.matrix).to(torch.float64)
        return self(t, x, batch, condition), divergence

    def exact_flow(self, x: Tensor, t0: float, t1: float) -> tuple[Tensor, Tensor]:
        """States [B, d] carried from t0 to t1, and the log-determinant of the map, a scalar; float64."""
        elapsed = (t1 - t0) + 0.5 * self.ramp * (t1**2 - t0**2)
        generator = elapsed * self.matrix.to(torch.float64)
        return x.to(torch.float64) @ torch.linalg.matrix_exp(generator).T, torch.trace(generator)
