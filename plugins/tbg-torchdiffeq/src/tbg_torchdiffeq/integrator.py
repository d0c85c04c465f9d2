"""torchdiffeq behind the contract of integrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torchdiffeq import odeint
from typing_extensions import override

from tbg_core.contracts.integrator import Integrator, Rhs, Solution
from tbg_torchdiffeq.config import ADAPTIVE, FIXED
from tbg_torchdiffeq.dense import HermitePath
from tbg_torchdiffeq.problem import Left, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_torchdiffeq.config import TorchdiffeqConfig

_DENSE_STEPS: Final = 12
"""Steps that dopri8 takes at least: it is content with a few long ones, between which nothing is known."""


class Torchdiffeq(Integrator):
    """One of torchdiffeq's solvers.

    Methods that choose their steps choose one for the whole batch (``batch_coupled``). The last step ends at ``t1``;
    by itself torchdiffeq goes beyond, where a field may not be defined, and interpolates back.

    A sample that is not finite leaves: at once on a grid, after four ever shorter attempts where steps are chosen.
    One that would need a step too small leaves too. The others go on from where they are; where steps are chosen, the
    attempts have made their steps shorter, so that their last digits differ.

    Args:
        config: Method and tolerances.
    """

    def __init__(self, config: TorchdiffeqConfig) -> None:
        self.config = config
        self.adaptive = config.method in ADAPTIVE
        self.batch_coupled = self.adaptive
        self.order = (ADAPTIVE if self.adaptive else FIXED)[config.method]

    @override
    def integrate(self, rhs: Rhs, x0: Tensor, t0: float, t1: float, accumulators: Sequence[str] = ()) -> Solution:
        span = abs(t1 - t0)
        problem = Problem(rhs, x0, t0, t1, accumulators, self.config.max_steps if self.adaptive else None)
        status = torch.zeros(len(x0), dtype=torch.int64, device=x0.device)
        final = problem.y0
        if span == 0.0 or len(x0) == 0:
            problem.knots.append((0.0, final, torch.zeros_like(final)))
            return self._solution(problem, final, status, HermitePath(problem, t0, t1, None))
        while len(problem.rows):
            problem.begin()
            try:
                problem.finish(span, self._solve(problem, span))
                break
            except Left as left:
                status[problem.rows[left.gone]] = int(left.status)
                final = final.index_copy(0, problem.rows[left.gone], problem.at[1][left.gone])
                problem.remove(left.gone)
        final = final.index_copy(0, problem.rows, problem.at[1])
        if not len(problem.rows):  # the path rests from where the last of them stopped
            problem.finish(span, problem.at[1])
        late = None if self.adaptive or not len(problem.rows) else problem.last_slopes
        return self._solution(problem, final, status, HermitePath(problem, t0, t1, late))

    def _solve(self, problem: Problem, span: float) -> Tensor:
        """Final y [b, n + A] of the samples under way."""
        s, y = problem.at
        config = self.config
        if self.adaptive:
            times = torch.tensor([s, span], dtype=torch.float64, device=y.device)
            options: dict[str, Any] = {"norm": problem.norm, "step_t": times[1:]}
            if config.method == "dopri8":
                options["max_step"] = span / _DENSE_STEPS
            path = odeint(problem, y, times, rtol=config.rtol, atol=config.atol, method=config.method, options=options)
        else:
            grid = [i / config.steps * span for i in range(config.steps)]
            rest = [time for time in grid if time > s]
            times = torch.tensor([s, *rest, span], dtype=torch.float64, device=y.device)
            path = odeint(problem, y, times, method=config.method)
        end: Tensor = path[-1]
        return end

    @staticmethod
    def _solution(problem: Problem, final: Tensor, status: Tensor, path: HermitePath) -> Solution:
        return Solution(
            x=problem.states(final),
            accumulators={name: final[:, problem.size + i] for i, name in enumerate(problem.names)},
            evaluations=problem.evaluations,
            status=status,
            path=path,
        )
