"""Contract of integrators: they advance a state and named accumulators along a differential equation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from torch import Tensor

Rhs = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Mapping[str, Tensor]]]
"""Right-hand side ``rhs(t, x, rows) -> (dx/dt, {accumulator: its rate})``.

``t`` [b] and ``x`` [b, *event] are the rows named by ``rows`` [b] (int64) of the state the integration began with:
a solver with step control per sample leaves out those that are finished. The rates are [b].
"""


class Status(IntEnum):
    """How the integration of one sample ended (0 is success)."""

    OK = 0
    NONFINITE = 1
    STEP_LIMIT = 2
    STEP_TOO_SMALL = 3


class Path(Protocol):
    """Dense output: the state at any time between the two ends."""

    def __call__(self, t: float) -> Tensor:
        """State [B, *event] at time t."""
        ...


@dataclass(frozen=True)
class Solution:
    """What an integration returns.

    Attributes:
        x: Final states [B, *event].
        accumulators: Final values by name, each [B] float64, starting from zero.
        evaluations: Right-hand sides evaluated for each sample [B], int64.
        status: :class:`Status` of each sample [B], int64. A failed sample keeps its last finite state and
            does not disturb the others.
        path: Dense output over the whole interval.
    """

    x: Tensor
    accumulators: Mapping[str, Tensor]
    evaluations: Tensor
    status: Tensor
    path: Path


class Integrator(ABC):
    """A method for initial value problems, forward or backward in time.

    Attributes:
        batch_coupled: True if step control looks at the whole batch, so that a sample's numbers depend on
            its neighbours.
        adaptive: True if the steps depend on the state, so that the end is no smooth function of the start.
        order: Order of convergence of ``x`` in the step size or tolerance-independent order of the pair.
    """

    batch_coupled: bool = False
    adaptive: bool = True
    order: int

    @abstractmethod
    def integrate(self, rhs: Rhs, x0: Tensor, t0: float, t1: float, accumulators: Sequence[str] = ()) -> Solution:
        """Advances ``x0`` [B, *event] from ``t0`` to ``t1`` (t1 < t0 runs backward).

        Args:
            rhs: The right-hand side; see :data:`Rhs`.
            x0: Initial states.
            t0: Initial time.
            t1: Final time.
            accumulators: Names of the accumulators whose rates ``rhs`` returns; they take part in
                step control.
        """
