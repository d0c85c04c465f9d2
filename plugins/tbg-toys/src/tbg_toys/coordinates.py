"""Observables of points in R^d."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from typing_extensions import override

from tbg_core.contracts.observable import ObservableSource
from tbg_core.errors import ConfigError
from tbg_core.observables.observable import Observable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tbg_core.contracts.system import System
    from tbg_toys.config import CoordinatesConfig

REACTION: Final = "reaction-coordinate"

_LISTED: Final = 4


class Coordinates(ObservableSource):
    """``x:0``, ``x:1``, ... and ``reaction-coordinate``, along which the basins of a toy lie apart.

    That is x_0, and x_1 - x_0 for Mueller-Brown, whose deepest minimum lies above 1.45.
    """

    forms: ClassVar[tuple[str, ...]] = ("x:I",)

    def __init__(self, config: CoordinatesConfig) -> None:
        self.config = config

    @override
    def names(self, system: System) -> tuple[str, ...]:
        """The first four coordinates, and the reaction coordinate."""
        dim = _dimension(system)
        return (*(f"x:{i}" for i in range(min(dim, _LISTED))), REACTION) if dim else ()

    @override
    def defaults(self, system: System) -> tuple[str, ...]:
        """The first four coordinates."""
        return tuple(name for name in self.names(system) if name != REACTION)

    @override
    def parse(self, text: str, system: System) -> Observable | None:
        """A coordinate, in the units of the toy."""
        kind, _, index = (part.strip() for part in text.partition(":"))
        dim = _dimension(system)
        if not dim or kind not in {"x", REACTION}:
            return None
        if kind == REACTION:
            function = _across if system.name == "mueller-brown" else partial(_coordinate, i=0)
            return Observable(REACTION, "", None, function, event_ndim=1)
        if not (index.isascii() and index.isdecimal() and int(index) < dim):
            raise ConfigError(
                f"{system.name} has no coordinate {index or '(none given)'}.",
                fix=f"Write x:I with I from 0 to {dim - 1}.",
            )
        return Observable(f"x:{int(index)}", "", None, partial(_coordinate, i=int(index)), event_ndim=1)


def _dimension(system: System) -> int:
    """d of a system on R^d, else 0."""
    shape = system.space.event_shape
    return shape[0] if len(shape) == 1 else 0


def _coordinate(x: NDArray[np.floating], i: int) -> NDArray[np.float64]:
    return np.asarray(x[:, i], dtype=np.float64)


def _across(x: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(x[:, 1], dtype=np.float64) - x[:, 0]
