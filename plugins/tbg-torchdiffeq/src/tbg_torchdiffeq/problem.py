"""The problem in the form that torchdiffeq takes: one matrix, one direction of time, and a record of what it did."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from tbg_core.contracts.integrator import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.integrator import Rhs

REJECTIONS: Final = 4
"""Steps, each a fifth of the last, that a sample without finite slopes may cost the batch before it is left behind."""

_HOPELESS: Final = 1e10


class Left(Exception):  # noqa: N818 - a signal through torchdiffeq's loop, not an error
    """Samples have to leave before the others can go on.

    Attributes:
        gone: Which of the rows under way [b].
        status: Why.
    """

    def __init__(self, gone: Tensor, status: Status) -> None:
        super().__init__(status.name)
        self.gone, self.status = gone, status


class Problem:
    """States and accumulators of the samples under way as one matrix y [b, n + A], float64, over s = |t - t0|.

    torchdiffeq calls it for slopes and tells it of the steps that it tries. It counts evaluations, keeps the knots
    (s, states, slopes) that the dense output is made of, and stops the solver by :class:`Left`.

    Args:
        rhs: The right-hand side in the user's shapes.
        x0: Initial states [B, *event].
        t0: Initial time.
        t1: Final time.
        accumulators: Names of the accumulators, which start from zero.
        max_steps: Steps that may be tried; None for a fixed grid.

    Attributes:
        y0: Initial matrix [B, n + A].
        rows: Samples under way [b], int64.
        at: Where they are: s, and y [b, n + A].
        evaluations: Of each sample [B], int64.
        resting: Last states [B, n] of samples that left.
        until: When they left [B], s; infinite for the others.
        knots: s, states [B, n] and slopes [B, n] at both ends of every accepted step; samples that left rest.
    """

    def __init__(
        self, rhs: Rhs, x0: Tensor, t0: float, t1: float, accumulators: Sequence[str], max_steps: int | None
    ) -> None:
        self.rhs, self.names = rhs, tuple(accumulators)
        self.t0, self.sign = t0, 1.0 if t1 > t0 else -1.0
        self.event, self.dtype = tuple(x0.shape[1:]), x0.dtype
        self.size = math.prod(self.event)
        # Half-precision times would be wrong in the third digit.
        self.time_dtype = torch.float64 if x0.dtype == torch.float64 else torch.float32
        flat = x0.reshape(len(x0), self.size).to(torch.float64)
        self.y0 = torch.cat([flat, flat.new_zeros(len(x0), len(self.names))], dim=1)
        self.rows = torch.arange(len(x0), device=x0.device)
        self.at = (0.0, self.y0)
        self.evaluations = torch.zeros_like(self.rows)
        self.knots: list[tuple[float, Tensor, Tensor]] = []
        self._adaptive, self._steps_left = max_steps is not None, max_steps or 0
        self.resting = flat
        self.until = flat.new_full((len(x0),), torch.inf)
        self._broken = torch.zeros_like(self.rows, dtype=torch.bool)
        self._ratio = torch.zeros(len(x0), dtype=torch.float64, device=x0.device)
        self._slope: Tensor | None = None
        self._stepping = False
        self._failures = torch.zeros_like(self.rows)

    def begin(self) -> None:
        """Before the solver is started, or started again, where the samples are."""
        self._broken = torch.zeros_like(self.rows, dtype=torch.bool)
        self._slope, self._stepping = None, False

    def remove(self, gone: Tensor) -> None:
        """Takes samples where ``gone`` [b] out, at their last finite states."""
        s, y = self.at
        self.resting = self.resting.index_copy(0, self.rows[gone], y[gone, : self.size])
        self.until[self.rows[gone]] = s
        self.rows, self.at, self._slope = self.rows[~gone], (s, y[~gone]), None

    def __call__(self, s: Tensor, y: Tensor) -> Tensor:
        """Slopes dy/ds [b, n + A] at y [b, n + A]."""
        slope = self.slope(s, y)
        self.evaluations[self.rows] += 1
        self._broken |= ~(_finite(slope) & _finite(y))
        if self._slope is None or not self._adaptive:
            # At the start of a step nothing can be saved by a shorter one, and on a grid none is taken.
            self._leave_if_any(self._broken, Status.NONFINITE)
        if self._slope is None and not self._adaptive:
            self._keep_knot(slope)
        if self._slope is None or self._stepping:  # torchdiffeq also looks ahead to choose its first step
            self._slope = slope
        return slope

    def slope(self, s: Tensor, y: Tensor) -> Tensor:
        """The same, without keeping account."""
        t = (self.t0 + self.sign * s).to(self.time_dtype).expand(len(y))
        dx, rates = self.rhs(t, self.states(y), self.rows)
        columns = [rates[name].to(torch.float64).unsqueeze(1) for name in self.names]
        return self.sign * torch.cat([dx.reshape(len(y), self.size).to(torch.float64), *columns], dim=1)

    def states(self, y: Tensor) -> Tensor:
        """The states [b, *event] inside y [b, n + A] or [b, n], in the user's type."""
        return y[:, : self.size].reshape(len(y), *self.event).to(self.dtype)

    def norm(self, ratio: Tensor) -> Tensor:
        """Size of an error [b, n + A] in units of the tolerance: one number for the whole batch.

        The larger of two root mean squares, over states and over accumulators, so that the log-determinant of a large
        molecule is not drowned by its coordinates. A step on which a sample was not finite is rejected.
        """
        square = ratio.detach().square()
        self._ratio = square[:, : self.size].mean(dim=1)
        if self.names:
            self._ratio = torch.maximum(self._ratio, square[:, self.size :].mean(dim=1))
        size = square[:, : self.size].mean().sqrt()
        if self.names:
            size = torch.maximum(size, square[:, self.size :].mean().sqrt())
        usable = torch.isfinite(size) & ~self._broken.any()
        return torch.where(usable, size, _HOPELESS)

    def callback_step(self, s: Tensor, y: Tensor, ds: Tensor) -> None:
        """Called by torchdiffeq before each step that it tries."""
        start, self._stepping = float(s), True
        if not self._adaptive:
            self.arrive(start, y)
            self._slope = None  # the first evaluation of a step on a grid is at its start
            return
        if self.knots and start == self.at[0]:  # the step before was rejected
            self._failures = self._failures.index_add(0, self.rows, self._broken.long())
            self._leave_if_any(self._failures[self.rows] >= REJECTIONS, Status.NONFINITE)
        else:
            self.arrive(start, y)
            self._keep_knot(self._slope)
        if start + float(ds) <= start + 8 * torch.finfo(torch.float64).eps * abs(start):
            self._leave_if_any((self._ratio > 1) | (self._ratio == self._ratio.max()), Status.STEP_TOO_SMALL)
        if self._steps_left == 0:
            self._leave_if_any(torch.ones_like(self._broken), Status.STEP_LIMIT)
        self._steps_left -= 1
        self._broken = torch.zeros_like(self._broken)

    def arrive(self, s: float, y: Tensor) -> None:
        """The samples have come to y [b, n + A] at s.

        Raises:
            Left: If a state is not finite.
        """
        self._leave_if_any(~_finite(y), Status.NONFINITE)
        self.at = (s, y)

    def finish(self, s: float, y: Tensor) -> None:
        """The samples have come to the end; the last slope is the solver's, or on a grid computed when needed."""
        self.arrive(s, y)
        self._keep_knot(self._slope if self._adaptive else None)

    def last_slopes(self) -> Tensor:
        """Slopes [B, n] at the end."""
        s, y = self.at
        return self._everyone(torch.zeros_like(self.resting), self.slope(y.new_tensor(s), y))

    def _keep_knot(self, slope: Tensor | None) -> None:
        s, y = self.at
        if self.knots and self.knots[-1][0] == s:
            return  # started again from here
        slopes = torch.zeros_like(self.resting)
        if slope is not None:
            slopes = self._everyone(slopes, slope)
        self.knots.append((s, self._everyone(self.resting, y), slopes))

    def _everyone(self, rest: Tensor, y: Tensor) -> Tensor:
        """States or slopes [B, n] of all samples, from those under way [b, n + A]."""
        return rest.index_copy(0, self.rows, y[:, : self.size])

    def _leave_if_any(self, gone: Tensor, status: Status) -> None:
        if bool(gone.any()):
            raise Left(gone, status)


def _finite(y: Tensor) -> Tensor:
    return torch.isfinite(y).all(dim=1)
