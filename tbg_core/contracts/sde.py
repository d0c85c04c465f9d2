"""Contract of SDE integrators: a state and named accumulators along dX = f(t, X) dt + G(t) dW."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

if TYPE_CHECKING:
    from tbg_core.randomness import SampleKeys

Drift = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Drift ``f(t, x, rows)`` [b, *event] at times t [b] and states x [b, *event] of the rows [b] (int64)."""

Diffusion = Callable[[float, Tensor], Tensor]
"""``G(t, dw)`` [b, *event]: increments of Wiener processes, one per coordinate, as the noise of the equation.

Linear in ``dw`` and free of x: ``lambda t, dw: math.sqrt(2) * dw`` is constant, ``system.space.project`` inside of it
keeps molecules mean-free. Ito's and Stratonovich's readings of such an equation are the same.
"""


@dataclass(frozen=True)
class Step:
    """One step of all rows, as accumulators see it.

    Attributes:
        t: Its beginning.
        dt: Its signed length.
        x: States at its beginning [b, *event].
        dx: Their increments [b, *event].
        dw: Wiener increments that drove them [b, *event], independent and of variance |dt|.
        rows: Names of the rows [b], int64.
    """

    t: float
    dt: float
    x: Tensor
    dx: Tensor
    dw: Tensor
    rows: Tensor

    def time(self, fraction: float) -> Tensor:
        """Time [b] at a fraction of the step, 0 its beginning and 1 its end."""
        return self.x.new_full((len(self.x),), self.t + fraction * self.dt)


Accumulator = Callable[[Step], Tensor]
"""What a step adds to an accumulator [b]; see :func:`ito`, :func:`stratonovich` and :func:`elapsed`."""

Form = Callable[[Tensor, Tensor], Tensor]
"""A function of times [b] and states [b, *event]."""


def ito(form: Form) -> Accumulator:
    """Ito's integral of a(t, X) . dX: a [b, *event] at the beginning of each step."""
    return lambda step: _inner(form(step.time(0.0), step.x), step.dx)


def stratonovich(form: Form) -> Accumulator:
    """Stratonovich's integral of a(t, X) . dX: a [b, *event] at the midpoint of each step, in time and in space."""
    return lambda step: _inner(form(step.time(0.5), step.x + 0.5 * step.dx), step.dx)


def elapsed(rate: Form) -> Accumulator:
    """The integral of r(t, X) dt: r [b] at the midpoint of each step."""
    return lambda step: rate(step.time(0.5), step.x + 0.5 * step.dx).double() * step.dt


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() * b.double()).flatten(1).sum(dim=1)


@dataclass(frozen=True)
class Trajectory:
    """States and accumulators on the way.

    Attributes:
        times: Times [K], float64, from beginning to end.
        x: States [K, B, *event].
        accumulators: Values by name, each [K, B] float64.
    """

    times: Tensor
    x: Tensor
    accumulators: Mapping[str, Tensor]


@dataclass(frozen=True)
class SdeSolution:
    """What an integration returns.

    Attributes:
        x: Final states [B, *event].
        accumulators: Final values by name, each [B] float64, starting from zero.
        evaluations: Drifts evaluated for each sample [B], int64; what accumulators evaluate is not counted.
        status: :class:`~tbg_core.contracts.integrator.Status` of each sample [B], int64. A failed sample keeps its last
            finite state and does not disturb the others.
        trajectory: The way there, if it was asked for.
    """

    x: Tensor
    accumulators: Mapping[str, Tensor]
    evaluations: Tensor
    status: Tensor
    trajectory: Trajectory | None = None


class SdeIntegrator(ABC):
    """A method for stochastic differential equations with additive noise, forward or backward in time.

    Attributes:
        strong_order: Order of convergence of single paths in the step size.
        weak_order: Order of convergence of averages in the step size.
    """

    strong_order: ClassVar[float]
    weak_order: ClassVar[float]

    @abstractmethod
    def integrate(
        self,
        drift: Drift,
        diffusion: Diffusion,
        x0: Tensor,
        t0: float,
        t1: float,
        keys: SampleKeys,
        accumulators: Mapping[str, Accumulator] | None = None,
        *,
        keep: int = 0,
    ) -> SdeSolution:
        """Advances ``x0`` [B, *event] from ``t0`` to ``t1``.

        With t1 < t0 steps are negative: dX = f dt + G dW, where W is a Wiener process of the clock -t. What undoes
        dX = f dt + g dW, of density p, is integrated in this way with the drift f - g^2 grad log p.

        Args:
            drift: f.
            diffusion: G.
            x0: Initial states.
            t0: Initial time.
            t1: Final time.
            keys: One per row; the noise of row i depends on ``keys.index[i]`` alone.
            accumulators: What each step adds to them, by name.
            keep: Keep every so many steps, and both ends, as a trajectory; 0: none.
        """
