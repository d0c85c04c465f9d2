"""Butcher tableaux: a method is its coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method with S stages.

    Attributes:
        name: Name of the method.
        order: Order of the solution that is carried on.
        c: Nodes [S].
        a: Strictly lower triangle: row i has i entries.
        b: Weights [S].
        b_err: Weights of the error estimate, solution minus embedded solution [S]; empty if there is none.
        error_order: Order of the embedded solution, 0 if there is none.
        dense: Weights [S] of the quartic correction of dense output: the interpolant is the cubic Hermite
            polynomial of the step plus ``theta^2 (1-theta)^2 h sum_i dense_i k_i``; empty for the plain one.
    """

    name: str
    order: int
    c: tuple[float, ...]
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    b_err: tuple[float, ...] = ()
    error_order: int = 0
    dense: tuple[float, ...] = ()

    @property
    def stages(self) -> int:
        """Number of stages S."""
        return len(self.c)

    @property
    def fsal(self) -> bool:
        """True if the last stage is the slope at the step's end (first same as last)."""
        return len(self.c) > 1 and self.c[-1] == 1.0 and (*self.a[-1], 0.0) == self.b


EULER: Final = Tableau("euler", 1, c=(0.0,), a=((),), b=(1.0,))

HEUN: Final = Tableau("heun", 2, c=(0.0, 1.0), a=((), (1.0,)), b=(0.5, 0.5))

CLASSICAL: Final = Tableau(
    "rk4",
    4,
    c=(0.0, 0.5, 0.5, 1.0),
    a=((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
    b=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
)

# Dormand and Prince, J. Comput. Appl. Math. 6, 19 (1980); the dense output is that of Hairer, Norsett
# and Wanner, Solving Ordinary Differential Equations I, 2nd ed., section II.6, of order 4.
_B5 = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
_B4 = (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)

DORMAND_PRINCE: Final = Tableau(
    "dopri5",
    5,
    c=(0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    a=(
        (),
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        _B5,
    ),
    b=(*_B5, 0.0),
    b_err=tuple(high - low for high, low in zip((*_B5, 0.0), _B4, strict=True)),
    error_order=4,
    dense=(
        -12715105075 / 11282082432,
        0.0,
        87487479700 / 32700410799,
        -10690763975 / 1880347072,
        701980252875 / 199316789632,
        -1453857185 / 822651844,
        69997945 / 29380423,
    ),
)
