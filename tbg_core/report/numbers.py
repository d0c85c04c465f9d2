"""Numbers as a reader wants them: rounded by their error, with units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tbg_core.ensemble.estimate import Estimate

ABSENT = "–"


def rounded(value: float, error: float) -> str:
    """The value with as many digits as its error allows (two significant digits of the error)."""
    if not math.isfinite(value):
        return ABSENT if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if not math.isfinite(error) or error <= 0.0:
        return f"{value:.4g}".replace("-", "−")
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{min(digits, 8)}f}".replace("-", "−")


def fixed(value: float, digits: int = 2) -> str:
    """The value with so many decimals; infinities and absent values as symbols."""
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else rounded(value, math.nan)


def interval(estimate: Estimate) -> str:
    """The interval of an estimate, or a dash where none may be printed."""
    if estimate.interval is None:
        return ABSENT
    low, high = (rounded(end, estimate.error) for end in estimate.interval)
    return f"{low} to {high}"


def count(number: float) -> str:
    """An effective number: one decimal below 100."""
    return f"{number:,.0f}" if number >= 100.0 else f"{number:.1f}"


def duration(seconds: float) -> str:
    """``"17 ms"``, ``"3.2 s"``, ``"4 min 10 s"``, ``"2 h 5 min"``."""
    if 0.0 < seconds < 0.1:
        return f"{1000.0 * seconds:.2g} ms"
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def percent(fraction: float) -> str:
    """A share with two significant digits below 10 %."""
    value = 100.0 * fraction
    if value >= 10.0 or value == 0.0:
        return f"{value:.0f}\u00a0%"
    return f"{value:.1f}\u00a0%" if value >= 1.0 else f"{value:.2g}\u00a0%"
