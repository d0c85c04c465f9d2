"""Exact sampling of low-dimensional densities by rejection from a piecewise constant envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.errors import NumericalError

if TYPE_CHECKING:
    from collections.abc import Callable


class CellSampler:
    """Samples a density from boxes on each of which an upper bound of it is known.

    What lies outside the boxes is never drawn: their union must hold all but a negligible share.

    Args:
        lower: Lower corners of the boxes [m, d].
        upper: Upper corners [m, d].
        log_bound: Upper bound of the log-density on each box [m].
        log_density: Unnormalised log-density [n] of points [n, d].
    """

    def __init__(
        self,
        lower: np.ndarray,
        upper: np.ndarray,
        log_bound: np.ndarray,
        log_density: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self.lower, self.width = lower, upper - lower
        self.log_bound = log_bound
        self.log_density = log_density
        mass = np.exp(log_bound - log_bound.max()) * np.prod(self.width, axis=1)
        self._cumulative = np.cumsum(mass) / mass.sum()

    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Independent samples [count, d], float64.

        Raises:
            NumericalError: If the density exceeds its bound.
        """
        kept = [np.empty((0, self.lower.shape[1]))]
        missing = count
        while missing > 0:
            tries = max(16, 2 * missing)
            box = np.searchsorted(self._cumulative, generator.random(tries), side="right")
            box = np.minimum(box, len(self.lower) - 1)
            x = self.lower[box] + self.width[box] * generator.random((tries, self.lower.shape[1]))
            excess = self.log_density(x) - self.log_bound[box]
            if np.any(excess > 1e-9):
                raise NumericalError("the density exceeds its bound; exact sampling is impossible")
            accepted = x[np.log1p(-generator.random(tries)) < excess]
            kept.append(accepted)
            missing -= len(accepted)
        return np.concatenate(kept)[:count]
