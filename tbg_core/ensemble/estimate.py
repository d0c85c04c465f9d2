"""Numbers with their errors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """An estimated number.

    Attributes:
        value: Point estimate.
        error: Standard error (delta method); nan where it cannot be told.
        interval: Bootstrap interval at ``level``, or None where the ensemble is too poor to print one.
        reliable: False if no interval may be printed; the value is then an indication only.
        unit: Unit of ``value``, ``""`` for pure numbers.
        level: Nominal coverage of ``interval``.
        reason: Why it is not reliable, in words; ``""`` if it is.
    """

    value: float
    error: float
    interval: tuple[float, float] | None
    reliable: bool
    unit: str = ""
    level: float = 0.9
    reason: str = ""

    def __str__(self) -> str:
        """The value, its interval or the fact that there is none, and the unit."""
        unit = f" {self.unit}" if self.unit else ""
        if self.interval is None:
            return f"{self.value:.4g}{unit} (not reliable: {self.reason or 'no interval'})"
        low, high = self.interval
        return f"{self.value:.4g}{unit} [{low:.4g}, {high:.4g}]"
