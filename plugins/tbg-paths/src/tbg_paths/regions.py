"""States as users write them: windows of observables, balls, and names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.errors import ConfigError
from tbg_core.observables.parse import parse_observable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.contracts.system import System
    from tbg_core.observables.observable import Observable

NAMED: Final[Mapping[str, Mapping[str, str]]] = {
    # Centres as in the published runs on alanine dipeptide; the half-widths are chosen here so that no two overlap.
    "ACE-ALA-NME": {
        "A": "phi=-150+-30,psi=150+-30",
        "B": "phi=-70+-30,psi=135+-30",
        "C": "phi=-150+-30,psi=-65+-30",
        "D": "phi=-70+-30,psi=-50+-30",
        "E": "phi=50+-30,psi=-100+-30",
        "F": "phi=40+-30,psi=65+-30",
    },
    "double-well": {"A": "x:0=-1+-0.3", "B": "x:0=1+-0.3"},
    "mueller-brown": {"A": "-0.558,1.442;0.25", "B": "0.623,0.028;0.25"},
}
"""Names of states by system; a toy's without its dimension."""

_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BALL: Final = re.compile(rf"\s*({_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*;\s*({_NUMBER})\s*")
_WINDOW: Final = re.compile(rf"(.+?)=\s*({_NUMBER})\s*(?:±|\+-|\+/-)\s*({_NUMBER})\s*")
_RANGE: Final = re.compile(rf"(.+?)=\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*")
_HELP: Final = (
    'Write windows of observables, "phi=-150+-30,psi=150+-30" or "x:0=-1.2..-0.7" (degrees, nm), a ball of a toy, '
    '"-1,0;0.3" (centre; radius), or the name of a state.'
)


@dataclass(frozen=True)
class Window:
    """An observable within ``half_width`` of ``centre``, in the observable's unit (degrees for angles)."""

    observable: Observable
    centre: float
    half_width: float

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether states x [n, *event] lie inside [n]."""
        away = self.observable(x) - self.centre
        if self.observable.period is not None:
            away -= self.observable.period * np.round(away / self.observable.period)
        return np.asarray(np.abs(away) <= self.half_width)


@dataclass(frozen=True)
class Ball:
    """Points of R^d within ``radius`` of ``centre`` [d]."""

    centre: np.ndarray
    radius: float

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether states x [n, d] lie inside [n]."""
        return np.asarray(np.square(x - self.centre).sum(axis=1) <= self.radius**2)


@dataclass(frozen=True)
class Region:
    """A state: where all of its conditions hold.

    Attributes:
        text: As the user wrote it.
        parts: The conditions.
    """

    text: str
    parts: tuple[Window | Ball, ...]

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether states x [n, *event] lie inside [n]."""
        return np.asarray(np.logical_and.reduce([part.contains(x) for part in self.parts]))


def parse_region(text: str, system: System) -> Region:
    """Reads a state of a system.

    Raises:
        ConfigError: If the text cannot be read, or names an observable or state that the system lacks.
    """
    names = NAMED.get(system.name.partition(":")[0], {})
    meaning = names.get(text.strip(), text)
    ball = _BALL.fullmatch(meaning)
    if ball is not None:
        return Region(text, (_ball(text, ball, system),))
    return Region(text, tuple(_window(term, text, system, names) for term in _terms(meaning)))


def _terms(text: str) -> list[str]:
    """The conditions of a text, split at commas that do not belong to an observable (``distance:1,5=0.3+-0.1``)."""
    terms: list[str] = []
    for piece in text.split(","):
        if terms and "=" not in terms[-1]:
            terms[-1] += "," + piece
        else:
            terms.append(piece)
    return terms


def _window(term: str, text: str, system: System, names: Mapping[str, str]) -> Window:
    window, between = _WINDOW.fullmatch(term), _RANGE.fullmatch(term)
    if window is not None:
        centre, half = float(window[2]), float(window[3])
    elif between is not None:
        low, high = float(between[2]), float(between[3])
        centre, half = 0.5 * (low + high), 0.5 * (high - low)
    else:
        known = f" States of {system.name}: {', '.join(names)}." if names else ""
        raise ConfigError(f"{text!r} is not a state.{known}", fix=_HELP)
    if half <= 0:
        raise ConfigError(f"{term!r} is an empty window.", fix="Give it a positive width.")
    match = window or between
    assert match is not None  # noqa: S101 - one of them was found
    return Window(shown(parse_observable(match[1].strip(), system)), centre, half)


def _ball(text: str, match: re.Match[str], system: System) -> Ball:
    centre, radius = np.array([float(number) for number in match[1].split(",")]), float(match[2])
    shape = system.space.event_shape
    if len(shape) != 1 or shape[0] != len(centre) or radius <= 0:
        raise ConfigError(
            f"{text!r} is a ball in {len(centre)} dimensions; a state of {system.name} has shape {shape}.", fix=_HELP
        )
    return Ball(centre, radius)


def shown(observable: Observable) -> Observable:
    """An observable in the unit that users write: degrees for angles."""
    return observable.to("degree") if observable.unit == "rad" else observable
