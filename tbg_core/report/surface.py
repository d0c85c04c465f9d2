"""Free energies over two coordinates: smoothed alike for all panels, blank where nothing was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.report.clouds import Cloud, Measure

BINS: Final = 72
EXPECTED: Final = 3.0
"""Samples that a simulation must predict at a place before their absence is called missing."""

_FAINT: Final = np.exp(-2.0)  # the kernel two widths from its centre
_NARROW, _WIDE = 1.0, 3.0  # bounds of the kernel's width, bins


@dataclass(frozen=True, eq=False)
class Plane:
    """Two coordinates, the window shown, and how finely.

    Attributes:
        x: The coordinate from left to right.
        y: The coordinate from bottom to top.
        window: left, right, bottom, top.
        periodic: True where both coordinates have a period, which is then the window.
        kernel: Standard deviation of the smoothing kernel, bins.
    """

    x: Measure
    y: Measure
    window: tuple[float, float, float, float]
    periodic: bool
    kernel: float

    @property
    def kernel_in_units(self) -> float:
        """Width of the kernel in the unit of x."""
        return self.kernel * (self.window[1] - self.window[0]) / BINS

    @property
    def cell(self) -> float:
        """Bins that one sample is spread over."""
        return 4.0 * np.pi * self.kernel**2


def plane(x: Measure, y: Measure, clouds: Sequence[Cloud]) -> Plane:
    """The window that holds the clouds, and a kernel that suits the poorest of them."""
    period = getattr(x, "period", None)
    fewest = max(2.0, min(cloud.effective for cloud in clouds))
    kernel = float(np.clip(4.5 * fewest ** (-1.0 / 6.0), _NARROW, _WIDE))
    if period is not None and getattr(y, "period", None) == period:
        half = 0.5 * float(period)
        return Plane(x, y, (-half, half, -half, half), periodic=True, kernel=kernel)
    limits: list[float] = []
    for observable in (x, y):
        values = np.concatenate([cloud.evaluate(observable)[cloud.weights > 0.0] for cloud in clouds])
        low, high = np.quantile(values, [0.001, 0.999]) if len(values) else (0.0, 1.0)
        margin = 0.06 * (high - low) or 0.5
        limits += [float(low - margin), float(high + margin)]
    return Plane(x, y, (limits[0], limits[1], limits[2], limits[3]), periodic=False, kernel=kernel)


@dataclass(frozen=True, eq=False)
class Surface:
    """What a cloud makes of a plane; rows along y.

    Attributes:
        free_energy: F in kT, its minimum zero [BINS, BINS]; nan where no state fell.
        expected: Effective states per kernel [BINS, BINS].
    """

    free_energy: np.ndarray
    expected: np.ndarray

    def lacks(self, other: Surface, effective: float, cell: float) -> np.ndarray:
        """True where ``other`` predicts states of this cloud, and there are none [BINS, BINS].

        Args:
            other: What should be there.
            effective: Number of independent states of this cloud.
            cell: :attr:`Plane.cell`.
        """
        density = np.where(np.isfinite(other.free_energy), np.exp(-other.free_energy), 0.0)
        predicted = density / density.sum() * effective * cell
        return np.asarray((predicted >= EXPECTED) & (self.expected < EXPECTED / 20.0))


def surface(cloud: Cloud, where: Plane) -> Surface:
    """Smoothed free energy of a cloud over a plane."""
    x, y = cloud.evaluate(where.x), cloud.evaluate(where.y)
    left, right, bottom, top = where.window
    edges = np.linspace(bottom, top, BINS + 1), np.linspace(left, right, BINS + 1)
    mode = "wrap" if where.periodic else "constant"
    mass, seen = (
        gaussian_filter(np.histogram2d(y, x, bins=edges, weights=w)[0], where.kernel, mode=mode, truncate=5.0)
        for w in (cloud.shares, (cloud.weights > 0.0).astype(np.float64))
    )
    covered = seen * 2.0 * np.pi * where.kernel**2 > _FAINT
    with np.errstate(divide="ignore", invalid="ignore"):
        free = -np.log(mass / mass.max())
    free = np.where(covered & np.isfinite(free), free, np.nan)
    return Surface(free, mass * cloud.effective * where.cell)
