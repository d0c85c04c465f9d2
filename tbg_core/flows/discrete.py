"""The log-determinant of the steps themselves: an exact density for a flow of a few large steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.integrator import Solution, Status
from tbg_core.contracts.likelihood import LikelihoodRule, Transport
from tbg_core.errors import ConfigError
from tbg_core.flows.rates import finish, velocity_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.system import Batch
    from tbg_core.flows.config import DiscreteConfig
    from tbg_core.randomness import SampleKeys


class Discrete(LikelihoodRule):
    """Takes an integrator of fixed steps for what it is, a map F of its own, and returns log|det dF/dx|.

    The density is then exact however large the steps are: they change what is sampled, not whether its density is
    known. It needs F to be one-to-one, which holds for steps that are short against the inverse of the field's slope.
    The price is the whole Jacobian, D reverse passes through all steps. It pays where few steps
    and few coordinates do.

    F runs from the earlier time to the later one. Against it, F(y) = x is solved for y: the integrator run backward
    undoes F but for its error, and what is left is corrected until F(y) is x to ``tolerance``.

    For molecules the determinant is taken over all 3N coordinates; a shift of the centroid passes through F unchanged,
    so that it is that of the mean-free space.
    """

    def __init__(self, config: DiscreteConfig) -> None:
        self.config = config

    @override
    def transport(
        self,
        field: VectorField,
        integrator: Integrator,
        x: Tensor,
        batch: Batch,
        t0: float,
        t1: float,
        *,
        keys: SampleKeys,
        condition: Tensor | None = None,
        wanted: Callable[[Tensor], Tensor] | None = None,
    ) -> Transport:
        if integrator.adaptive:
            raise ConfigError(
                f"The likelihood rule 'discrete' needs an integrator of fixed steps, not {type(integrator).__name__}.",
                fix="Choose one, e.g. --integrator rk4, or another rule.",
            )
        parts = []
        for rows in torch.split(torch.arange(len(x), device=x.device), self.config.max_rows):
            part, c = batch.select(rows), None if condition is None else condition[rows]
            steps = _Steps(field, integrator, part, c, min(t0, t1), max(t0, t1))
            parts.append(steps.forward(x[rows]) if t1 >= t0 else steps.backward(x[rows], self.config))
        if not parts:
            return finish(integrator.integrate(velocity_rate(field, batch, condition), x, t0, t1), *x.new_zeros(2, 0))
        return Transport(
            *(
                torch.cat([getattr(part, name) for part in parts])
                for name in ("x", "log_det", "log_det_err", "status", "evaluations")
            )
        )


class _Steps:
    """The map of some rows, from the earlier time to the later one."""

    def __init__(
        self,
        field: VectorField,
        integrator: Integrator,
        batch: Batch,
        condition: Tensor | None,
        early: float,
        late: float,
    ) -> None:
        self.field, self.integrator, self.batch, self.condition = field, integrator, batch, condition
        self.early, self.late = early, late

    def forward(self, x: Tensor) -> Transport:
        """F(x), with log|det dF/dx|."""
        with torch.enable_grad():
            y = x.detach().requires_grad_()
            solution = self._solve(y, self.early, self.late)
            end = solution.x.flatten(1)
            # Rows do not depend on one another, so that a sum over them has the gradient of each.
            columns = [torch.autograd.grad(column.sum(), y, retain_graph=True)[0] for column in end.unbind(1)]
        jacobian = torch.stack(columns, dim=1).flatten(2).double()
        log_det = torch.linalg.slogdet(jacobian).logabsdet
        ended = Solution(solution.x.detach(), {}, solution.evaluations, solution.status, solution.path)
        return finish(ended, log_det, torch.zeros_like(log_det))

    @torch.no_grad()
    def backward(self, x: Tensor, config: DiscreteConfig) -> Transport:
        """y with F(y) = x, and -log|det dF/dy|; a row that does not get there has ``STEP_LIMIT``."""
        back = self._solve(x, self.late, self.early)
        first, y, evaluations = back.x, back.x, back.evaluations
        allowed = config.tolerance * (1.0 + x.flatten(1).abs().amax(1))
        for _ in range(config.iterations):
            there = self._solve(y, self.early, self.late)
            evaluations = evaluations + there.evaluations
            open_ = (there.x - x).flatten(1).abs().amax(1) > allowed
            if not open_.any():
                break
            again = self._solve(there.x, self.late, self.early)
            evaluations = evaluations + again.evaluations
            # Rows that are there stay, so that none depends on how long its neighbours take.
            y = torch.where(open_.view(-1, *(1,) * (x.ndim - 1)), y + first - again.x, y)
        moved = self.forward(y)
        found = (moved.x - x).flatten(1).abs().amax(1) <= allowed
        limit = torch.full_like(moved.status, int(Status.STEP_LIMIT))
        status = torch.where((moved.status == Status.OK) & ~found, limit, moved.status)
        status = torch.where(back.status == Status.OK, status, back.status)
        ended = Solution(y, {}, evaluations + moved.evaluations, status, back.path)
        return finish(ended, -moved.log_det, moved.log_det_err)

    def _solve(self, x: Tensor, t0: float, t1: float) -> Solution:
        return self.integrator.integrate(velocity_rate(self.field, self.batch, self.condition), x, t0, t1)
