"""F_theta: the dense network of an assignment flow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from typing_extensions import override

from tbg_assignment.embedding import directions, gain
from tbg_assignment.trace import trace
from tbg_core.contracts.field import VectorField
from tbg_core.contracts.system import Logits
from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_assignment.config import NetworkConfig
    from tbg_core.contracts.system import Batch, System


def prior_posterior(t: Tensor, x: Tensor) -> Tensor:
    """log P(alpha_i = a | x_i) [B, n, c], up to a constant, had all labels of a variable the same probability.

    On the lines x = t v^ + x_0 with x_0 ~ N(0, I), by Bayes' theorem: t <v^_a, x_i> = t gain x_ia.
    """
    return t.view(-1, 1, 1) * gain(x.shape[-1]) * x


def mean_direction(log_posterior: Tensor) -> Tensor:
    """E[v^ | x] [B, n, c] for log-probabilities of the labels [B, n, c]."""
    p = torch.softmax(log_posterior, dim=-1)
    return p @ directions(p.shape[-1], dtype=p.dtype, device=p.device)


class AssignmentNetwork(VectorField):
    """v(t, x) = Pi_0 F(softmax x, t), F a multilayer perceptron of all variables together.

    With output ``velocity`` the network is F, as in the paper. With ``posterior`` it gives a correction g(softmax x, t)
    to the log-probabilities of the labels, and F = E[v^ | x] = sum_a p_a v^_a with p = softmax(t gain x + g). Flow
    matching regresses that very expectation; g = 0 solves uniform independent labels exactly, and when the flow has
    decided for a label, F is its direction however wrong g is.

    Args:
        config: Sizes.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.shape = (config.variables or 1, config.classes or 2)
        size = self.shape[0] * self.shape[1]
        width = size + 1 + 2 * config.time_features
        layers: list[nn.Module] = []
        for _ in range(config.depth):
            layers += [nn.Linear(width, config.width), nn.SiLU()]
            width = config.width
        self.layers = nn.Sequential(*layers, nn.Linear(width, size))

    @classmethod
    @override
    def adapt(cls, config: NetworkConfig, systems: Sequence[System]) -> NetworkConfig:
        """Takes variables and classes of the training systems where none were given."""
        space = systems[0].space
        if not isinstance(space, Logits):
            return config
        found = {"variables": config.variables or space.variables, "classes": config.classes or space.classes}
        return config.model_copy(update=found)

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        t, _, features = self._features(t, x, batch)
        g: Tensor = self.layers(features).view(x.shape)
        if self.config.output == "velocity":
            return g - g.mean(dim=-1, keepdim=True)
        return mean_direction(prior_posterior(t, x) + g)

    @override
    def velocity_and_divergence(
        self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Exact either way; the trace of :mod:`tbg_assignment.trace` where there are more logits than hidden units."""
        if self.shape[0] * self.shape[1] <= self.config.width:
            return super().velocity_and_divergence(t, x, batch, condition)
        t, w, features = self._features(t, x, batch)
        g: Tensor = self.layers(features).view(x.shape)
        if self.config.output == "velocity":
            return g - g.mean(dim=-1, keepdim=True), trace(self.layers, features, w, None).double()
        logits, k = prior_posterior(t, x) + g, gain(self.shape[1])
        p = torch.softmax(logits, dim=-1)
        spread = (1.0 - p.square().sum(dim=-1)).sum(dim=1)
        return mean_direction(logits), (k * (t * k * spread + trace(self.layers, features, w, p))).double()

    def _features(self, t: Tensor, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Times [B], probabilities [B, n, c] and input of the layers.

        Raises:
            UnsupportedSystemError: If the states have another shape than those of the training.
        """
        if tuple(x.shape[1:]) != self.shape or batch.mask is not None:
            raise UnsupportedSystemError(
                f"Field assignment-network is for {self.shape[0]} variables of {self.shape[1]} classes; states have "
                f"the shape {tuple(x.shape[1:])}.",
                fix="Train a model for this system.",
            )
        t = t.to(x.dtype)
        clock = (t / (t + 2.0)).unsqueeze(1)  # decisions are made early: half of the clock is over at t = 2
        phase = clock * torch.arange(1, self.config.time_features + 1, dtype=x.dtype, device=x.device) * math.pi
        w = torch.softmax(x, dim=-1)
        return t, w, torch.cat([w.flatten(1), clock, torch.sin(phase), torch.cos(phase)], dim=1)
