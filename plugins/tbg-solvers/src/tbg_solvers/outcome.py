"""Collects the samples of one integration as they finish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tbg_core.contracts.integrator import Solution, Status
from tbg_solvers.dense import DensePath, Segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tbg_solvers.step import FlatProblem


class Outcome:
    """Final states, statuses and evaluation counts, filled row by row.

    Args:
        problem: What is integrated.
        x0: Initial states [B, *event].
        t0: Initial time.
        t1: Final time.
    """

    def __init__(self, problem: FlatProblem, x0: Tensor, t0: float, t1: float) -> None:
        self.problem = problem
        self.x0, self.t0, self.t1 = x0, t0, t1
        self.status = torch.zeros(len(x0), dtype=torch.int64, device=x0.device)
        self.evaluations = torch.zeros_like(self.status)
        self.segments: list[Segment] = []
        self._rows: list[Tensor] = []
        self._final: list[Tensor] = []

    def count(self, rows: Tensor, evaluations: int) -> None:
        """Adds ``evaluations`` to the given rows [b]."""
        self.evaluations[rows] += evaluations

    def finish(self, rows: Tensor, y: Tensor, status: Tensor | Status) -> None:
        """Ends rows [b] in the states y [b, D] with one status, or one each [b]."""
        self._rows.append(rows)
        self._final.append(y)
        self.status[rows] = int(status) if isinstance(status, Status) else status

    def solution(self, last_slopes: Callable[[], Tensor] | None = None) -> Solution:
        """The finished integration; ``last_slopes`` as in :class:`~tbg_solvers.dense.DensePath`."""
        y = torch.cat(self._final)[torch.argsort(torch.cat(self._rows))] if self._rows else self.problem.y0
        return Solution(
            x=self.problem.states(y),
            accumulators=self.problem.values(y),
            evaluations=self.evaluations,
            status=self.status,
            path=DensePath(self.x0, self.t0, self.t1, self.segments, last_slopes),
        )
