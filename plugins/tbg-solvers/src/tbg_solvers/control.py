"""Step-size control of each sample for itself.

The norm, the first step and the PI controller follow Hairer, Norsett and Wanner, Solving Ordinary
Differential Equations I (2nd ed.), section II.4, and Gustafsson, ACM TOMS 17, 533 (1991).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tbg_solvers.step import FlatProblem
    from tbg_solvers.tableau import Tableau

SAFETY = 0.9
SHRINK = 0.2
GROW = 10.0
NONFINITE_SHRINK = 0.1
BETA = 0.04
"""Weight of the previous error: damps the oscillation of steps on mildly stiff problems."""

SMALLEST_ERROR = 1e-4
"""Floor of the remembered error, so that one lucky step does not make the next one reckless."""


@dataclass(frozen=True)
class Tolerance:
    """Error norm per sample.

    Attributes:
        rtol: Relative tolerance.
        atol: Absolute tolerance.
        size: Number n of entries that belong to the state; the rest are accumulators.
    """

    rtol: float
    atol: float
    size: int

    def norm(self, error: Tensor, y0: Tensor, y1: Tensor) -> Tensor:
        """Error [b] of each sample in units of the tolerance, from error and states [b, n + A].

        It is the larger of two root mean squares: over the state and over the accumulators, so that the
        log-determinant of a large molecule is not drowned by its many coordinates. State entries that are
        zero at both ends are not counted: they are padding, and padding must not loosen the tolerance.
        """
        magnitude = torch.maximum(y0.abs(), y1.abs())
        ratio = (error / (self.atol + self.rtol * magnitude)).square()
        live = (magnitude[:, : self.size] > 0).sum(dim=1).clamp(min=1)
        square = ratio[:, : self.size].sum(dim=1) / live
        if ratio.shape[1] > self.size:
            square = torch.maximum(square, ratio[:, self.size :].mean(dim=1))
        return square.sqrt()


def first_step(
    problem: FlatProblem,
    tolerance: Tolerance,
    t: Tensor,
    y: Tensor,
    slope: Tensor,
    rows: Tensor,
    span: float,
    order: int,
) -> Tensor:
    """Guesses the length of the first step of each row [b] with one evaluation.

    Args:
        problem: The flat problem.
        tolerance: The error norm.
        t: Times [b].
        y: States [b, D].
        slope: Slopes at (t, y) [b, D].
        rows: Row names [b].
        span: Signed length of the interval.
        order: Order of the method.
    """
    sign, longest = (1.0 if span > 0 else -1.0), abs(span)
    size, speed = tolerance.norm(y, y, y), tolerance.norm(slope, y, y)
    crude = torch.where((size < 1e-5) | (speed < 1e-5), 1e-6 * longest, 0.01 * size / speed)
    crude = crude.clamp(max=longest)
    ahead = y + (sign * crude).unsqueeze(1) * slope
    bend = tolerance.norm(problem(t + sign * crude, ahead, rows) - slope, y, y) / crude
    steepest = torch.maximum(speed, bend)
    bold = (crude * 1e-3).clamp(min=1e-6 * longest)
    fine = torch.where(steepest <= 1e-15, bold, torch.exp(torch.log(0.01 / steepest) / order))
    # A look ahead into a place where nothing is finite says nothing: begin with the crude step.
    fine = torch.where(torch.isfinite(fine), fine, crude)
    return torch.minimum(100.0 * crude, fine).clamp(max=longest)


class Controller:
    """Proportional-integral control of the step.

    Args:
        tableau: The method; it must carry an error estimate.
    """

    def __init__(self, tableau: Tableau) -> None:
        order = tableau.error_order + 1
        self.alpha = 1.0 / order - 0.75 * BETA

    def factor(self, error: Tensor, previous: Tensor, rejected: Tensor, finite: Tensor) -> Tensor:
        """Factor [b] by which the step of each sample changes.

        Args:
            error: Error of this step in units of the tolerance [b].
            previous: Error of the last accepted step [b].
            rejected: True where the step before this one was rejected [b]; such a step may not grow.
            finite: False where this step met values that are not finite [b].
        """
        # Not error**-alpha: the last digit of torch.pow depends on where an element lies in memory.
        logarithm = BETA * torch.log(previous) - self.alpha * torch.log(error.clamp(min=1e-10))
        change = SAFETY * torch.exp(logarithm)
        change = change.clamp(min=SHRINK, max=GROW)
        change = torch.where(rejected, change.clamp(max=1.0), change)
        return torch.where(finite, change, NONFINITE_SHRINK)
