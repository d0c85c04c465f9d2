"""What a network is told of the distances at its input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

REACH = 3.0
"""Distance of the last centre, in length scales: past it two atoms of a peptide feel little of one another's place."""
SOFTENING = 0.1
"""Distance under which the functions flatten, so that they are smooth where two atoms meet."""


class DistanceFeatures(nn.Module):
    """The squared distance, and Gaussians of the distance on a grid from 0 to :data:`REACH`.

    A bond of a molecule varies by a hundredth of the length scale. A perceptron of the squared distance alone is slow to
    resolve that; one of functions that are each large in one place is not (Schuett et al., SchNet, 2018, section III).

    Args:
        gaussians: Their number K; none is the published network.

    Attributes:
        size: Number of features, 1 + K.
    """

    centres: Tensor

    def __init__(self, gaussians: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.0, REACH, gaussians), persistent=False)
        self.size, self.inverse_width = 1 + gaussians, (gaussians - 1) / REACH

    def forward(self, d2: Tensor) -> Tensor:
        """[..., 1 + K] of squared distances [...]."""
        return torch.cat([d2.unsqueeze(-1), self._gaussians(d2)[0]], dim=-1)

    def slopes(self, d2: Tensor) -> Tensor:
        """Derivatives of the features by the squared distance [..., 1 + K]."""
        values, steps, d = self._gaussians(d2)
        slopes = -values * steps * self.inverse_width / (2.0 * d)
        return torch.cat([torch.ones_like(d), slopes], dim=-1)

    def _gaussians(self, d2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        d = (d2 + SOFTENING**2).sqrt().unsqueeze(-1)
        steps = (d - self.centres) * self.inverse_width
        return torch.exp(-0.5 * steps.square()), steps, d
