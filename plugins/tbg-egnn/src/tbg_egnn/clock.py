"""What a network knows of the time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def clock_size(frequencies: int) -> int:
    """Number of features of :func:`clock`."""
    return 1 + 2 * frequencies


def clock(t: Tensor, x: Tensor, frequencies: int) -> Tensor:
    """The time and sin and cos of pi k t, k = 1..n, for every atom [B, N, 1 + 2n], in the type of x [B, N, 3]."""
    time = t.to(x).view(-1, 1)
    phase = math.pi * time * torch.arange(1, frequencies + 1, dtype=x.dtype, device=x.device)
    return torch.cat([time, phase.sin(), phase.cos()], dim=1).unsqueeze(1).expand(-1, x.shape[1], -1)
