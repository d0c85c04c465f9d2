"""The potential of mean force between labels: a Gaussian process, which knows how little it knows.

The paper trains ten networks on the labels and takes their spread for the uncertainty. A Gaussian process with the
labels' own errors as its noise needs no training, gives mean and standard deviation in closed form, and an ensemble
where one is wanted: functions drawn from its posterior. With some hundreds of labels it costs less than one network.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

if TYPE_CHECKING:
    from tbg_coarse.labels import Labels

LOOSE: Final = 8.0
"""Free energies this far above the lowest (kT) need not be met closely: their noise grows with the excess."""
_FLOOR: Final = 0.05
"""Least error of a label, kT: what the finite resolution of the kernel leaves."""
_LENGTHS: Final = (0.15, 0.25, 0.35, 0.5, 0.7, 1.0)
_AMPLITUDES: Final = (2.0, 4.0, 8.0, 16.0)
_TUNED_ON: Final = 400
_MOST: Final = 1500
"""Labels that enter; of more, the most precise ones."""


@dataclass(frozen=True)
class Kernel:
    """A smooth covariance: squared exponential on the line, its periodic form on the circle, products of them.

    Attributes:
        amplitude: Standard deviation of F before any label, kT.
        length: Correlation length, in units of ``scale``.
        scale: Unit of length along each coordinate [d].
        periodic: Whether coordinates are angles.
    """

    amplitude: float
    length: float
    scale: np.ndarray
    periodic: bool

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Covariances [n, m] of F at points [n, d] and [m, d]."""
        apart = a[:, None] - b[None]
        square = 2.0 - 2.0 * np.cos(apart) if self.periodic else (apart / self.scale) ** 2
        return np.asarray(self.amplitude**2 * np.exp(-0.5 * square.sum(-1) / self.length**2))


class PotentialOfMeanForce:
    """Posterior of F given labels.

    Args:
        labels: At least one with a finite F.
        scale: Unit of length along each coordinate [d].
        periodic: Whether coordinates are angles.
    """

    def __init__(self, labels: Labels, scale: np.ndarray, *, periodic: bool) -> None:
        known = labels.keep(np.flatnonzero(np.isfinite(labels.free_energy) & (labels.ess > 0)))
        if len(known) > _MOST:
            known = known.keep(np.sort(np.argsort(known.error, kind="stable")[:_MOST]))
        self.s = known.s
        # -log of a mean is too large by half of its variance.
        f = known.free_energy - 0.5 * np.minimum(known.error, 1.0) ** 2
        self.lowest = float(np.min(f + known.error))
        excess = np.maximum(0.0, f - self.lowest - LOOSE)
        self._f = np.minimum(f, self.lowest + 3.0 * LOOSE)
        self._variance = known.error**2 + _FLOOR**2 + 0.25 * excess**2
        self.kernel = self._tuned(scale, periodic=periodic)
        self._factor = cho_factor(self.kernel(self.s, self.s) + np.diag(self._variance), lower=True)
        self.mean = _level(self._factor, self._f)
        self._weights = cho_solve(self._factor, self._f - self.mean)

    def predict(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of F [n] at points [n, d], kT."""
        cross = self.kernel(s, self.s)
        left = solve_triangular(self._factor[0], cross.T, lower=True)
        variance = self.kernel.amplitude**2 - (left**2).sum(0)
        return self.mean + cross @ self._weights, np.sqrt(np.maximum(variance, 0.0))

    def draw(self, s: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
        """An ensemble: F of ``count`` functions drawn from the posterior [count, n] at points [n, d]."""
        cross = self.kernel(s, self.s)
        left = solve_triangular(self._factor[0], cross.T, lower=True)
        covariance = self.kernel(s, s) - left.T @ left
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        mean = self.mean + cross @ self._weights
        return np.asarray(mean + random.standard_normal((count, len(s))) @ root.T)

    def _tuned(self, scale: np.ndarray, *, periodic: bool) -> Kernel:
        """The kernel of the greatest marginal likelihood among a few."""
        rows = np.argsort(self._variance, kind="stable")[:_TUNED_ON]
        s, f, noise = self.s[rows], self._f[rows], np.diag(self._variance[rows])
        best, chosen = -np.inf, None
        for length, amplitude in product(_LENGTHS, _AMPLITUDES):
            kernel = Kernel(amplitude, length, scale, periodic)
            factor = cho_factor(kernel(s, s) + noise, lower=True)
            apart = f - _level(factor, f)
            evidence = -0.5 * apart @ cho_solve(factor, apart) - np.log(np.diag(factor[0])).sum()
            if evidence > best:
                best, chosen = evidence, kernel
        assert chosen is not None  # noqa: S101 - evidences of finite labels are finite
        return chosen


def _level(factor: tuple[np.ndarray, bool], f: np.ndarray) -> float:
    """The mean of the process that is most likely."""
    ones = cho_solve(factor, np.ones(len(f)))
    return float(ones @ f / ones.sum())
