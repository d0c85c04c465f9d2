"""One explicit Runge-Kutta step, and the flat float64 form of the problem it works on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tbg_core.contracts.integrator import Rhs
    from tbg_solvers.tableau import Tableau

FlatRhs = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Slopes [b, n + A] of the flat state [b, n + A] at times [b] for the rows [b]."""


class FlatProblem:
    """States and accumulators as one matrix [B, n + A], float64.

    The solver's own sums are done in float64 whatever the type of ``x``: they cost next to nothing beside a
    network, and single-precision rounding would otherwise limit the log-determinant.

    Args:
        rhs: The right-hand side in the user's shapes.
        x0: Initial states [B, *event].
        accumulators: Names of the accumulators, which start from zero.
    """

    def __init__(self, rhs: Rhs, x0: Tensor, accumulators: Sequence[str]) -> None:
        self.rhs = rhs
        self.names = tuple(accumulators)
        self.event = tuple(x0.shape[1:])
        self.size = math.prod(self.event)
        self.dtype = x0.dtype
        # Half-precision times would be wrong in the third digit.
        self.time_dtype = torch.float64 if x0.dtype == torch.float64 else torch.float32
        y = x0.reshape(len(x0), self.size).to(torch.float64)
        self.y0 = torch.cat([y, y.new_zeros(len(y), len(self.names))], dim=1) if self.names else y

    def __call__(self, t: Tensor, y: Tensor, rows: Tensor) -> Tensor:
        """Slopes [b, n + A] at times t [b] and states y [b, n + A] of the given rows [b]."""
        dx, rates = self.rhs(t.to(self.time_dtype), self.states(y), rows)
        slope = dx.reshape(len(y), self.size).to(torch.float64)
        if not self.names:
            return slope
        columns = [rates[name].to(torch.float64).unsqueeze(1) for name in self.names]
        return torch.cat([slope, *columns], dim=1)

    def states(self, y: Tensor) -> Tensor:
        """The states [b, *event] inside y [b, n + A], in the user's type."""
        return y[:, : self.size].reshape(len(y), *self.event).to(self.dtype)

    def flat_states(self, y: Tensor) -> Tensor:
        """The states [b, n] inside y [b, n + A], in the user's type."""
        return y[:, : self.size].to(self.dtype)

    def values(self, y: Tensor) -> dict[str, Tensor]:
        """The accumulators [b] inside y [b, n + A]."""
        return {name: y[:, self.size + i] for i, name in enumerate(self.names)}


def combine(weights: Iterable[float], slopes: Sequence[Tensor]) -> Tensor:
    """Returns sum_i weights_i slopes_i.

    Products and sums are rounded one by one: a fused multiply-add may or may not be used for an element,
    depending on where it lies in memory, and then a sample's last digit would depend on its neighbours.
    """
    total: Tensor | None = None
    for weight, slope in zip(weights, slopes, strict=False):
        if weight != 0.0:
            term = slope * weight
            total = term if total is None else total + term
    if total is None:
        return torch.zeros_like(slopes[0])
    return total


def runge_kutta_step(
    tableau: Tableau, rhs: FlatRhs, t: Tensor, y: Tensor, h: Tensor, slope: Tensor, rows: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Takes one step of each row.

    Args:
        tableau: The method.
        rhs: The flat right-hand side.
        t: Times [b].
        y: States [b, D].
        h: Signed step of each row [b].
        slope: Slopes at (t, y) [b, D], the first stage.
        rows: Names of the rows [b], handed on to ``rhs``.

    Returns:
        New states [b, D] and the slopes of all stages, each [b, D].
    """
    step = h.unsqueeze(1)
    slopes = [slope]
    end = y
    for c, a in zip(tableau.c[1:], tableau.a[1:], strict=True):
        end = y + step * combine(a, slopes)
        slopes.append(rhs(t + c * h, end, rows))
    if not tableau.fsal:
        end = y + step * combine(tableau.b, slopes)
    return end, slopes
