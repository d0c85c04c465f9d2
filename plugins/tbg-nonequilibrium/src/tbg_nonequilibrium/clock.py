"""The Ornstein-Uhlenbeck process dX = -X dt + sqrt(2) dW that turns data to noise, and its two clocks.

X_t = alpha X_0 + sigma Z with alpha = exp(-t) and sigma = sqrt(1 - exp(-2t)), so that alpha^2 + sigma^2 = 1 and
alpha = cos(phi), sigma = sin(phi) for an angle phi. A flow runs on the *angle clock* tau = 1 - 2 phi / pi, from
tau = 0, where t is infinite and X exactly standard normal, to tau = 1, the data: no final time T has to be chosen.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

QUARTER: Final = 0.5 * math.pi
"""The angle between data and noise."""


def alpha_sigma(t: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the data alpha and of the noise sigma at times t of the process."""
    return torch.exp(-t), torch.sqrt(-torch.expm1(-2.0 * t))


def flow_time(t: Tensor) -> Tensor:
    """tau of times t."""
    alpha, sigma = alpha_sigma(t)
    return 1.0 - torch.atan2(sigma, alpha) / QUARTER


def alpha_sigma_of_flow(tau: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and sigma at tau of the angle clock."""
    phi = QUARTER * (1.0 - tau)
    return torch.cos(phi), torch.sin(phi)


def along(values: Tensor, x: Tensor) -> Tensor:
    """Values [B] shaped to multiply states x [B, *event], in their type."""
    return values.to(x.dtype).view(-1, *(1,) * (x.ndim - 1))
