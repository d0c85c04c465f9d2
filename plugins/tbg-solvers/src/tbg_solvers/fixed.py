"""Runge-Kutta methods on a grid of equal steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from tbg_core.contracts.integrator import Integrator, Rhs, Solution, Status
from tbg_solvers.dense import Segment
from tbg_solvers.outcome import Outcome
from tbg_solvers.step import FlatProblem, runge_kutta_step
from tbg_solvers.tableau import CLASSICAL, EULER, HEUN, Tableau

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_solvers.config import EulerConfig, HeunConfig, RK4Config


class FixedGrid(Integrator):
    """Any tableau on ``steps`` equal steps; all samples go together.

    A sample whose state stops being finite keeps its last finite one, fails with ``NONFINITE`` and is not
    evaluated any more. Dense output is the cubic Hermite polynomial of each step.
    """

    tableau: ClassVar[Tableau]
    adaptive = False

    def __init__(self, config: EulerConfig | HeunConfig | RK4Config) -> None:
        self.steps = config.steps

    @override
    def integrate(self, rhs: Rhs, x0: Tensor, t0: float, t1: float, accumulators: Sequence[str] = ()) -> Solution:
        problem = FlatProblem(rhs, x0, accumulators)
        outcome = Outcome(problem, x0, t0, t1)
        if t0 == t1 or len(x0) == 0:
            return outcome.solution()
        y = problem.y0
        rows = torch.arange(len(y), device=y.device)
        slope: Tensor | None = None
        for i in range(self.steps):
            start = t0 + (t1 - t0) * (i / self.steps)
            t = torch.full((len(y),), start, dtype=torch.float64, device=y.device)
            h = torch.full_like(t, t0 + (t1 - t0) * ((i + 1) / self.steps) - start)
            if slope is None:
                slope = problem(t, y, rows)
                outcome.count(rows, 1)
                if outcome.segments:
                    _close(outcome.segments, problem, slope)
            end, slopes = runge_kutta_step(self.tableau, problem, t, y, h, slope, rows)
            outcome.count(rows, self.tableau.stages - 1)
            segment = _segment(problem, rows, t, h, y, end, slope, slopes[-1])
            slope = slopes[-1] if self.tableau.fsal else None
            finite = torch.isfinite(end).all(dim=1)
            if not bool(finite.all()):
                outcome.finish(rows[~finite], y[~finite], Status.NONFINITE)
                segment, end, rows = segment.select(finite), end[finite], rows[finite]
                slope = None if slope is None else slope[finite]
            if len(rows) == 0:
                return outcome.solution()
            outcome.segments.append(segment)
            y = end
        outcome.finish(rows, y, Status.OK)
        if self.tableau.fsal:
            return outcome.solution()
        last = outcome.segments[-1]

        def last_slopes() -> Tensor:
            return problem.flat_states(problem(last.t + last.h, y, rows) * last.h.unsqueeze(1))

        return outcome.solution(last_slopes)


def _segment(
    problem: FlatProblem, rows: Tensor, t: Tensor, h: Tensor, y: Tensor, end: Tensor, k0: Tensor, k1: Tensor
) -> Segment:
    step = h.unsqueeze(1)
    flat = problem.flat_states
    return Segment(rows, t, h, flat(y), flat(end), flat(step * k0), flat(step * k1))


def _close(segments: list[Segment], problem: FlatProblem, slope: Tensor) -> None:
    """Gives the last segment the slope at its end, now that it is known; its rows are those still active."""
    last = segments[-1]
    segments[-1] = replace(last, d1=problem.flat_states(slope * last.h.unsqueeze(1)))


class Euler(FixedGrid):
    """Euler's method, order 1."""

    order = 1
    tableau = EULER


class Heun(FixedGrid):
    """Heun's trapezoidal method, order 2."""

    order = 2
    tableau = HEUN


class RK4(FixedGrid):
    """The classical method of Runge and Kutta, order 4."""

    order = 4
    tableau = CLASSICAL
