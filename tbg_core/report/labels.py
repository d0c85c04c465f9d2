"""Observables as a reader wants them: Greek letters, degrees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from tbg_core.observables import Observable

_SYMBOLS: Final = {"phi": "φ", "psi": "ψ", "omega": "ω", "rg": "radius of gyration"}


def symbol(name: str) -> str:
    """``"phi:2"`` as ``"φ 2"``, ``"rg"`` as ``"radius of gyration"``; other names as they are."""
    kind, _, rest = name.partition(":")
    if match := re.fullmatch(r"chi(\d)", kind):
        return f"χ{match.group(1)} {rest}".strip()
    return f"{_SYMBOLS[kind]} {rest}".strip() if kind in _SYMBOLS else name


@dataclass(frozen=True)
class InDegrees:
    """An angle in degrees.

    Attributes:
        angle: The observable in radians.
        unit: The degree sign.
    """

    angle: Observable
    unit: str = "°"

    @property
    def name(self) -> str:
        """That of the angle."""
        return self.angle.name

    @property
    def period(self) -> float | None:
        """360 where the angle has a period."""
        return None if self.angle.period is None else 360.0

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Values [n], degrees."""
        return np.degrees(self.angle(positions))
