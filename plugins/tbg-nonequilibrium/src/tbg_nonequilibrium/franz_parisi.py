"""The Franz-Parisi potential of a diffusing density in one dimension: how firmly a state remembers its own origin.

H(X_0 | X_t) = (X_t - alpha X_0)^2 / (2 sigma^2) - ln p_0(X_0) is the energy of an origin X_0 given the state X_t, and

    V(q, t) = -< ln Z(q) >,  Z(q) = (exp(-H(X' + sqrt q)) + exp(-H(X' - sqrt q))) / (2 sqrt q),

averaged over the true origin X' and the state X_t that it became: the free energy of another origin at a squared
distance q from the true one. Source: Yu and Huang, Phys. Rev. E 111, 014111 (2025).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from tbg_nonequilibrium.clock import alpha_sigma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tbg_core.randomness import SampleKeys
    from tbg_nonequilibrium.process import Diffused


@dataclass(frozen=True)
class FranzParisi:
    """V and its derivatives in q at one time, each [m], with standard errors.

    Attributes:
        t: Time.
        q: Squared distances.
        v: V.
        v_err: Its error.
        first: V'.
        first_err: Its error.
        second: V''.
        second_err: Its error.
    """

    t: float
    q: NDArray[np.float64]
    v: NDArray[np.float64]
    v_err: NDArray[np.float64]
    first: NDArray[np.float64]
    first_err: NDArray[np.float64]
    second: NDArray[np.float64]
    second_err: NDArray[np.float64]

    @property
    def inflections(self) -> list[float]:
        """q at which V'' changes its sign between points where it differs from zero by two errors."""
        known = np.flatnonzero(np.abs(self.second) > 2.0 * self.second_err)
        return [
            float(0.5 * (self.q[i] + self.q[j])) for i, j in pairwise(known) if self.second[i] * self.second[j] < 0.0
        ]


def log_partition(p: Diffused, t: float, origin: Tensor, state: Tensor, q: Tensor) -> Tensor:
    """ln Z [n] of pairs of origins and states [n, 1] at squared distances q [n]."""
    alpha, sigma = (float(part) for part in alpha_sigma(torch.tensor(t, dtype=torch.float64)))
    root = q.sqrt()
    terms = []
    for sign in (1.0, -1.0):
        other = origin + sign * root.unsqueeze(1)
        misfit = (state - alpha * other).square().sum(dim=1) / (2.0 * sigma**2)
        terms.append(p.log_density(0.0, other) - misfit)
    return torch.logaddexp(*terms) - torch.log(2.0 * root)


def franz_parisi(p: Diffused, t: float, q: Sequence[float], keys: SampleKeys) -> FranzParisi:
    """Monte Carlo over pairs drawn together, one per key; the derivatives are those of each pair, averaged.

    Args:
        p: A process in one dimension whose density can be differentiated.
        t: Time, positive.
        q: Squared distances, positive.
        keys: One per pair; all q use the same pairs.
    """
    origin = p.data(keys.child("origin"))
    state = p.noised(origin, keys.child("state"), t)
    means, errors = [], []
    for value in q:
        distance = torch.full((len(origin),), float(value), dtype=torch.float64, requires_grad=True)
        v = -log_partition(p, t, origin, state, distance)
        (first,) = torch.autograd.grad(v.sum(), distance, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), distance)
        rows = torch.stack([v.detach(), first.detach(), second])
        means.append(rows.mean(dim=1).numpy())
        errors.append((rows.std(dim=1) / len(origin) ** 0.5).numpy())
    (v_, first_, second_), (v_err, first_err, second_err) = np.stack(means, axis=1), np.stack(errors, axis=1)
    return FranzParisi(t, np.asarray(q, dtype=np.float64), v_, v_err, first_, first_err, second_, second_err)
