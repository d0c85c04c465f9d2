"""Exponential moving average of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class WeightAverage:
    """Keeps theta_ema <- d theta_ema + (1 - d) theta with d = min(decay, (1 + k) / (10 + k)) at step k.

    The ramp forgets the initial weights quickly.

    Args:
        module: Whose parameters are averaged; buffers, which need not be numbers that can be averaged, are copied.
        decay: Limit of d; 0 keeps the latest weights.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._averaged = {name for name, _ in module.named_parameters(remove_duplicate=False)}
        self.tensors: dict[str, Tensor] = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Takes the weights after step ``step`` (from 1) in."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        for name, value in module.state_dict().items():
            if name in self._averaged:
                self.tensors[name].lerp_(value.to(self.tensors[name]), 1.0 - decay)
            else:
                self.tensors[name].copy_(value)
