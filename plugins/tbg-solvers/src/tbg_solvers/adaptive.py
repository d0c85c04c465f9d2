"""Runge-Kutta pairs with a time and a step for every sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from tbg_core.contracts.integrator import Integrator, Rhs, Solution, Status
from tbg_solvers.control import SMALLEST_ERROR, Controller, Tolerance, first_step
from tbg_solvers.dense import Segment
from tbg_solvers.outcome import Outcome
from tbg_solvers.step import FlatProblem, combine, runge_kutta_step
from tbg_solvers.tableau import DORMAND_PRINCE, Tableau

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_solvers.config import Dopri5Config

STRETCH = 1.01
"""A step that leaves less than a hundredth of itself to the end goes to the end."""


class Dopri5(Integrator):
    """Dormand and Prince's pair of orders 5 and 4.

    Each sample has its own time, step and error, so its numbers do not depend on its neighbours; finished
    samples are not evaluated any more. A step costs six evaluations, for the last slope of an accepted step
    is the first of the next one. Dense output is the pair's own interpolant, of order 4.
    """

    order = 5
    tableau: ClassVar[Tableau] = DORMAND_PRINCE

    def __init__(self, config: Dopri5Config) -> None:
        self.config = config
        self.controller = Controller(self.tableau)

    @override
    def integrate(self, rhs: Rhs, x0: Tensor, t0: float, t1: float, accumulators: Sequence[str] = ()) -> Solution:
        problem = FlatProblem(rhs, x0, accumulators)
        outcome = Outcome(problem, x0, t0, t1)
        if t0 == t1 or len(x0) == 0:
            return outcome.solution()
        front = _Front(self, problem, outcome)
        for _ in range(self.config.max_steps):
            if len(front.rows) == 0:
                break
            front.advance()
        if len(front.rows):
            outcome.finish(front.rows, front.y, Status.STEP_LIMIT)
        return outcome.solution()


class _Front:
    """The samples still on their way; all tensors have one row for each of them."""

    def __init__(self, solver: Dopri5, problem: FlatProblem, outcome: Outcome) -> None:
        config = solver.config
        self.tableau, self.controller = solver.tableau, solver.controller
        self.problem, self.outcome = problem, outcome
        self.tolerance = Tolerance(config.rtol, config.atol, problem.size)
        self.t1, span = outcome.t1, outcome.t1 - outcome.t0
        self.smallest = 16 * torch.finfo(torch.float64).eps * max(abs(outcome.t0), abs(outcome.t1))
        self.y = problem.y0
        self.rows = torch.arange(len(self.y), device=self.y.device)
        self.t = torch.full((len(self.y),), outcome.t0, dtype=torch.float64, device=self.y.device)
        self.slope = problem(self.t, self.y, self.rows)
        outcome.count(self.rows, 1)
        self.h = torch.full_like(self.t, min(config.first_step or abs(span), abs(span)))
        self.previous = torch.full_like(self.t, SMALLEST_ERROR)
        self.rejected = torch.zeros_like(self.t, dtype=torch.bool)
        bad = ~(torch.isfinite(self.slope).all(dim=1) & torch.isfinite(self.y).all(dim=1))
        self._leave(bad, torch.full_like(self.rows, Status.NONFINITE))
        if config.first_step is None and len(self.rows):
            with torch.no_grad():
                self.h = first_step(problem, self.tolerance, self.t, self.y, self.slope, self.rows, span, solver.order)
            outcome.count(self.rows, 1)
        self.h = self.h if span > 0 else -self.h

    def advance(self) -> None:
        """Tries one step of every sample."""
        rest = self.t1 - self.t
        last = self.h.abs() * STRETCH >= rest.abs()
        h = torch.where(last, rest, self.h)
        end, slopes = runge_kutta_step(self.tableau, self.problem, self.t, self.y, h, self.slope, self.rows)
        self.outcome.count(self.rows, self.tableau.stages - 1)
        with torch.no_grad():  # the choice of steps is not differentiated
            error = self.tolerance.norm(h.unsqueeze(1) * combine(self.tableau.b_err, slopes), self.y, end)
            finite = torch.isfinite(error) & torch.isfinite(end).all(dim=1)
            accepted = finite & (error <= 1.0)
            factor = self.controller.factor(error, self.previous, self.rejected, finite)
        everyone = bool(accepted.all())
        self._record(h, end, slopes, None if everyone else accepted)
        if everyone:
            self.y, self.slope = end, slopes[-1]
        else:
            column = accepted.unsqueeze(1)
            self.y = torch.where(column, end, self.y)
            self.slope = torch.where(column, slopes[-1], self.slope)
        arrived = accepted & last
        self.t = torch.where(accepted, self.t + h, self.t)
        self.h = h * factor
        self.previous = torch.where(accepted, error.clamp(min=SMALLEST_ERROR), self.previous)
        self.rejected = ~accepted
        stuck = self.rejected & (self.h.abs() < self.smallest)
        blocked = torch.where(finite, int(Status.STEP_TOO_SMALL), int(Status.NONFINITE))
        self._leave(arrived | stuck, torch.where(arrived, int(Status.OK), blocked))

    def _record(self, h: Tensor, end: Tensor, slopes: list[Tensor], accepted: Tensor | None) -> None:
        step, flat = h.unsqueeze(1), self.problem.flat_states
        segment = Segment(
            self.rows,
            self.t,
            h,
            flat(self.y),
            flat(end),
            flat(step * slopes[0]),
            flat(step * slopes[-1]),
            flat(step * combine(self.tableau.dense, slopes)),
        )
        self.outcome.segments.append(segment if accepted is None else segment.select(accepted))

    def _leave(self, done: Tensor, status: Tensor) -> None:
        """Takes the samples where ``done`` [b] out, with their ``status`` [b]."""
        if not bool(done.any()):
            return
        self.outcome.finish(self.rows[done], self.y[done], status[done])
        keep = ~done
        for name in ("rows", "t", "h", "y", "slope", "previous", "rejected"):
            setattr(self, name, getattr(self, name)[keep])
