"""Fluctuation theorems of the total entropy production, as estimates with errors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.ensemble.pareto import pareto_k
from tbg_core.ensemble.weights import normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class IntegralTheorem:
    """<exp(-dS_tot)> = 1, and the second law <dS_tot> >= 0.

    Attributes:
        trajectories: How many.
        mean: Mean of dS_tot.
        mean_err: Its standard error.
        exponential: Mean of exp(-dS_tot).
        exponential_err: Its standard error.
        pareto_k: Shape of the tail of exp(-dS_tot); above 0.7 the mean and its error mean nothing.
    """

    trajectories: int
    mean: float
    mean_err: float
    exponential: float
    exponential_err: float
    pareto_k: float

    @property
    def deviation(self) -> float:
        """Distance of the exponential mean from 1 in standard errors."""
        return (self.exponential - 1.0) / self.exponential_err if self.exponential_err > 0.0 else 0.0

    @property
    def decidable(self) -> bool:
        """Whether the tail is thin enough for the mean to be known."""
        return bool(self.pareto_k < 0.7)

    @property
    def holds(self) -> bool:
        """True if the mean is 1 within four standard errors, and can be known."""
        return self.decidable and abs(self.deviation) < 4.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "deviation": self.deviation, "holds": self.holds}


def integral_theorem(total: NDArray[np.float64], log_weights: NDArray[np.float64] | None = None) -> IntegralTheorem:
    """The theorem on dS_tot of trajectories [n], which count by their weights; all the same by default."""
    log_w = np.zeros(len(total)) if log_weights is None else log_weights
    w = normalised(log_w)
    mean, mean_err = _average(total, w)
    exponential, exponential_err = _average(np.exp(-total), w)
    return IntegralTheorem(len(total), mean, mean_err, exponential, exponential_err, float(pareto_k(log_w - total)))


def _average(values: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[float, float]:
    """Weighted mean and its standard error, that of a ratio of means."""
    n, mean = len(values), float(w @ values)
    return mean, float(np.sqrt(np.square(w * (values - mean)).sum() * n / max(1, n - 1)))


@dataclass(frozen=True)
class DetailedTheorem:
    """ln P(dS in bin) / P~(-dS in bin) by bins, beside what the detailed theorem says it is.

    Attributes:
        centres: Middles of the bins [m].
        log_ratio: Measured [m].
        log_ratio_err: Standard errors [m].
        expected: The theorem, dS averaged over the bin as it must be [m].
        slope: Of log_ratio on expected, through zero, weighted by the errors; 1 by the theorem.
        slope_err: Its standard error.
        chi_square: Of the deviations, per bin.
    """

    centres: NDArray[np.float64]
    log_ratio: NDArray[np.float64]
    log_ratio_err: NDArray[np.float64]
    expected: NDArray[np.float64]
    slope: float
    slope_err: float
    chi_square: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()}


def detailed_theorem(
    total: NDArray[np.float64], conjugate: NDArray[np.float64], bins: int = 24, least: int = 30
) -> DetailedTheorem:
    """P(dS) / P~(-dS) = exp(dS) for a process and its conjugate.

    In a bin the theorem reads P(bin) = sum over conjugate trajectories in it of exp(dS), dS = -dS~, so that no bin is
    too wide; the exponentials are averaged over the conjugate trajectories that were made.

    Args:
        total: dS_tot of the process [n].
        conjugate: dS~_tot of its conjugate [m].
        bins: Bins between the 0.1 and 99.9 percentiles of both.
        least: Fewest trajectories of either process in a bin that is used.
    """
    mirrored = -conjugate
    low, high = np.percentile(np.concatenate([total, mirrored]), [0.1, 99.9])
    edges = np.linspace(low, high, bins + 1)
    n, m = (np.histogram(values, edges)[0] for values in (total, mirrored))
    tilted = np.histogram(mirrored, edges, weights=np.exp(mirrored))[0]
    used = (n >= least) & (m >= least)
    n, m, tilted, centres = n[used], m[used], tilted[used], 0.5 * (edges[1:] + edges[:-1])[used]
    log_ratio = np.log(n / len(total)) - np.log(m / len(conjugate))
    error = np.sqrt(1.0 / n + 1.0 / m)
    expected = np.log(tilted / m)
    weight = 1.0 / error**2
    square = float((weight * expected**2).sum())
    slope = float((weight * expected * log_ratio).sum() / square) if square > 0.0 else float("nan")
    chi = float((weight * (log_ratio - expected) ** 2).mean()) if len(n) else float("nan")
    slope_err = float(square**-0.5) if square > 0.0 else float("nan")
    return DetailedTheorem(centres, log_ratio, error, expected, slope, slope_err, chi)
