"""Dense output: the state at any time, from polynomials on the accepted steps of each sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Segment:
    """One accepted step of some rows: a cubic Hermite polynomial, with a quartic correction if there is one.

    Attributes:
        rows: Which rows [b].
        t: Times at the start [b], float64.
        h: Signed lengths [b], float64.
        x0: States at the start [b, n].
        x1: States at the end [b, n].
        d0: Step times slope at the start [b, n].
        d1: Step times slope at the end [b, n].
        bulge: Coefficient of theta^2 (1-theta)^2 [b, n], or None.
    """

    rows: Tensor
    t: Tensor
    h: Tensor
    x0: Tensor
    x1: Tensor
    d0: Tensor
    d1: Tensor
    bulge: Tensor | None = None

    def select(self, keep: Tensor) -> Segment:
        """The segment of the rows where ``keep`` [b] is true."""
        return Segment(
            self.rows[keep],
            self.t[keep],
            self.h[keep],
            self.x0[keep],
            self.x1[keep],
            self.d0[keep],
            self.d1[keep],
            None if self.bulge is None else self.bulge[keep],
        )


class DensePath:
    """States at any time between the ends of an integration.

    A sample that failed stays at its last finite state from there on.

    Args:
        x0: Initial states [B, *event].
        t0: Initial time.
        t1: Final time.
        segments: Accepted steps, in the order in which they were made.
        last_slopes: If given, called at most once, to get ``d1`` of the last segment: a fixed grid need not
            evaluate the slope at its end unless someone looks there.
    """

    def __init__(
        self,
        x0: Tensor,
        t0: float,
        t1: float,
        segments: list[Segment],
        last_slopes: Callable[[], Tensor] | None = None,
    ) -> None:
        self._x0 = x0
        self._ends = (min(t0, t1), max(t0, t1))
        self._sign = 1.0 if t1 >= t0 else -1.0
        self._segments = segments
        self._last_slopes = last_slopes
        self._joined: Segment | None = None

    def __call__(self, t: float) -> Tensor:
        """State [B, *event] at time t.

        Raises:
            ValueError: If t lies outside the interval.
        """
        slack = 1e-12 * max(1.0, abs(self._ends[0]), abs(self._ends[1]))
        if not self._ends[0] - slack <= t <= self._ends[1] + slack:
            raise ValueError(f"time {t} lies outside the integrated interval {self._ends}")
        if not self._segments:
            return self._x0
        s = self._join()
        size = len(self._x0)
        counts = torch.bincount(s.rows, minlength=size)
        over = (self._sign * (s.t + s.h) < self._sign * t).to(torch.int64)
        passed = torch.zeros_like(counts).index_add_(0, s.rows, over)
        # Rows are sorted: those of row i begin at the number of segments of the rows before it.
        position = counts.cumsum(0) - counts + torch.minimum(passed, (counts - 1).clamp(min=0))
        position = position.clamp(max=len(s.rows) - 1)
        value = _evaluate(s, position, t).reshape(self._x0.shape)
        moved = (counts > 0).reshape(-1, *(1,) * (self._x0.ndim - 1))
        return torch.where(moved, value, self._x0)

    def _join(self) -> Segment:
        if self._joined is None:
            parts = self._segments
            if self._last_slopes is not None:
                parts = [*parts[:-1], replace(parts[-1], d1=self._last_slopes())]
            columns = {
                name: torch.cat([getattr(part, name) for part in parts])
                for name in ("rows", "t", "h", "x0", "x1", "d0", "d1")
            }
            bulges = [part.bulge for part in parts if part.bulge is not None]
            joined = Segment(**columns, bulge=torch.cat(bulges) if bulges else None)
            order = torch.argsort(joined.rows, stable=True)
            self._joined = joined.select(order)
            self._segments = [self._joined]
        return self._joined


def _evaluate(s: Segment, position: Tensor, t: float) -> Tensor:
    """Polynomials [B, n] of the segments at ``position`` [B], at time t (held constant beyond their ends)."""
    theta = ((t - s.t[position]) / s.h[position]).clamp(0.0, 1.0).to(s.x0.dtype).unsqueeze(1)
    rest = 1.0 - theta
    x0 = s.x0[position]
    chord = s.x1[position] - x0
    d1 = s.d1[position]
    # The slope at the last finite state of a failed sample may be the first that was not finite.
    d1 = torch.where(torch.isfinite(d1), d1, chord)
    bend = s.d0[position] - chord
    cubic = chord - d1 - bend
    if s.bulge is not None:
        cubic = cubic + rest * s.bulge[position]
    return x0 + theta * (chord + rest * (bend + theta * cubic))
