"""Observables of discrete variables: indicators, whose averages are probabilities."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from typing_extensions import override

from tbg_core.contracts.observable import ObservableSource
from tbg_core.contracts.system import Logits
from tbg_core.errors import ConfigError
from tbg_core.observables.observable import Observable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tbg_assignment.config import LabelObservablesConfig
    from tbg_core.contracts.system import System

_LISTED: Final = 4
_FORM = re.compile(r"(label|agree):([0-9]+)([=,])([0-9]+)")


class LabelObservables(ObservableSource):
    """``label:I`` is the class of variable I, ``label:I=A`` is 1 where it is A, ``agree:I,J`` where two are equal.

    Args:
        config: No options.
    """

    forms: ClassVar[tuple[str, ...]] = ("label:I=A", "agree:I,J")

    def __init__(self, config: LabelObservablesConfig) -> None:
        self.config = config

    @override
    def names(self, system: System) -> tuple[str, ...]:
        """The classes of the first four variables, and whether neighbours among them agree."""
        if not isinstance(system.space, Logits):
            return ()
        n = min(system.space.variables, _LISTED)
        return (*(f"label:{i}" for i in range(n)), *(f"agree:{i},{i + 1}" for i in range(n - 1)))

    @override
    def defaults(self, system: System) -> tuple[str, ...]:
        """The classes of the first variables."""
        return tuple(name for name in self.names(system) if name.startswith("label"))

    @override
    def parse(self, text: str, system: System) -> Observable | None:
        """An indicator, or the number of a class."""
        kind = text.partition(":")[0].strip()
        if kind not in {"label", "agree"} or not isinstance(system.space, Logits):
            return None
        n, c = system.space.event_shape
        text = text.replace(" ", "")
        if (single := re.fullmatch(r"label:([0-9]+)", text)) and int(single[1]) < n:
            i = int(single[1])
            return Observable(f"label:{i}", "", None, partial(_class, i=i), components=c)
        match = _FORM.fullmatch(text)
        pair = kind == "agree"
        if match is None or (match[3] == ",") != pair or int(match[2]) >= n or int(match[4]) >= (n if pair else c):
            raise ConfigError(
                f"{system.name} has no {text}.",
                fix=f"Write label:I, label:I=A or agree:I,J with I and J from 0 to {n - 1}, A from 0 to {c - 1}.",
            )
        i, other = int(match[2]), int(match[4])
        if pair:
            return Observable(f"agree:{i},{other}", "", None, partial(_agree, i=i, j=other), components=c)
        return Observable(f"label:{i}={other}", "", None, partial(_is, i=i, a=other), components=c)


def _class(x: NDArray[np.floating], i: int) -> NDArray[np.float64]:
    return np.asarray(x[:, i].argmax(axis=-1), dtype=np.float64)


def _is(x: NDArray[np.floating], i: int, a: int) -> NDArray[np.float64]:
    return np.asarray(x[:, i].argmax(axis=-1) == a, dtype=np.float64)


def _agree(x: NDArray[np.floating], i: int, j: int) -> NDArray[np.float64]:
    return np.asarray(x[:, i].argmax(axis=-1) == x[:, j].argmax(axis=-1), dtype=np.float64)
