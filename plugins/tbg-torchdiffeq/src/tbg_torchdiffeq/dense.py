"""Dense output from what any solver knows: states and slopes at the ends of its steps.

torchdiffeq interpolates only while it solves, at times that are named beforehand, and by a quartic whatever the order
of the method. A polynomial through the states and slopes of neighbouring knots needs no evaluation, and is of order 8
where four of them are near.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tbg_torchdiffeq.problem import Problem

_SLACK: Final = 1e-9
"""Times this far outside, relative to the interval, are taken for its ends."""

_SHORTEST: Final = 0.2
"""Neighbouring steps shorter than this share of a step are not used in it: differences over them would be noise."""


class HermitePath:
    """State [B, *event] at any time of an integration.

    Args:
        problem: What was integrated, with its knots.
        t0: Initial time.
        t1: Final time.
        last_slopes: Gives the slopes [B, n] at the last knot, where they are not known; called on first use.
    """

    def __init__(self, problem: Problem, t0: float, t1: float, last_slopes: Callable[[], Tensor] | None) -> None:
        self._problem = problem
        self._t0, self._t1 = t0, t1
        self._times = [knot[0] for knot in problem.knots]
        self._last_slopes = last_slopes

    def __call__(self, t: float) -> Tensor:
        """State [B, *event] at time t.

        Raises:
            ValueError: If t is outside the interval that was integrated.
        """
        span = abs(self._t1 - self._t0)
        s = (t - self._t0) * (1.0 if self._t1 >= self._t0 else -1.0)
        if not -_SLACK * span <= s <= (1 + _SLACK) * span:
            raise ValueError(f"time {t} is outside the interval from {self._t0} to {self._t1}")
        knots = self._knots()
        i = min(max(bisect_right(self._times, s) - 1, 0), len(knots) - 1)
        if self._times[i] == s or i == len(knots) - 1:
            return self._problem.states(knots[i][1])
        near = self._window(i)
        of_states, of_slopes = hermite_weights(np.array(self._times[near]), max(s, 0.0))
        parts = zip(knots[near], of_states, of_slopes, strict=True)
        terms = [y * float(a) + dy * float(b) for (_, y, dy), a, b in parts]
        rests = (self._problem.until <= s).unsqueeze(1)
        return self._problem.states(torch.where(rests, self._problem.resting, sum(terms[1:], terms[0])))

    def _knots(self) -> list[tuple[float, Tensor, Tensor]]:
        if self._last_slopes is not None:
            s, y, _ = self._problem.knots[-1]
            self._problem.knots[-1] = (s, y, self._last_slopes())
            self._last_slopes = None
        return self._problem.knots

    def _window(self, i: int) -> slice:
        """The knots to use between knots i and i + 1: up to four, all of them near."""
        first, last, times = i, i + 1, self._times
        step = times[last] - times[first]
        while last - first < 3:
            if first > 0 and (i - first <= last - i - 1 or last + 1 == len(times)) and self._usable(first - 1, step):
                first -= 1
            elif last + 1 < len(times) and self._usable(last, step):
                last += 1
            elif first > 0 and self._usable(first - 1, step):
                first -= 1
            else:
                break
        return slice(first, last + 1)

    def _usable(self, i: int, step: float) -> bool:
        return self._times[i + 1] - self._times[i] >= _SHORTEST * step


def hermite_weights(knots: np.ndarray, s: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights [K] of values and [K] of slopes that give the Hermite interpolant at s.

    With l_j the Lagrange polynomials of the knots: (1 - 2 (s - s_j) l_j'(s_j)) l_j(s)^2 and (s - s_j) l_j(s)^2.
    """
    apart = knots[:, None] - knots[None, :]
    np.fill_diagonal(apart, 1.0)
    ratios = (s - knots)[None, :] / apart
    np.fill_diagonal(ratios, 1.0)
    squares = ratios.prod(axis=1) ** 2
    reciprocal = 1.0 / apart
    np.fill_diagonal(reciprocal, 0.0)
    return (1.0 - 2.0 * (s - knots) * reciprocal.sum(axis=1)) * squares, (s - knots) * squares
