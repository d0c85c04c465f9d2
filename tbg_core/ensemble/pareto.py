"""Pareto-smoothed importance sampling: is the tail of the weights thin enough to trust an average?

Sources: Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling", JMLR 25 (2024);
the tail is fitted by Zhang and Stephens, Technometrics 51 (2009) 316.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

MIN_TAIL: Final = 5
"""Fewer tail weights than this cannot be fitted: k-hat is then infinite."""

PRIOR_STRENGTH: Final = 10.0
"""Vehtari et al.: a weak prior pulls k-hat towards 0.5 as this many tail weights would."""


@dataclass(frozen=True)
class ParetoSmoothed:
    """Result of smoothing.

    Attributes:
        k: Tail shape k-hat. Below 0.5 the variance of the weights is finite; above 0.7 averages and their
            errors cannot be trusted at any affordable number of samples.
        log_weights: Log-weights [n] with the tail replaced by the fit's expected order statistics, none above
            the largest raw weight. Not normalised.
    """

    k: float
    log_weights: np.ndarray


def tail_length(n: int) -> int:
    """Number of largest weights that make the tail: min(n / 5, 3 sqrt n), rounded up."""
    return int(np.ceil(min(0.2 * n, 3.0 * np.sqrt(n))))


def fit_generalised_pareto(exceedances: np.ndarray) -> tuple[float, float]:
    """Fits a generalised Pareto distribution with lower end 0.

    The profile likelihood is averaged over a grid of the ratio theta = -k / sigma, which needs no iteration.

    Args:
        exceedances: Values above the threshold [m], not negative, not all zero.

    Returns:
        Shape k (heavy tails are positive; without the prior of Vehtari et al.) and scale sigma.
    """
    x = np.sort(np.asarray(exceedances, dtype=np.float64))
    m = len(x)
    grid = 30 + int(np.sqrt(m))
    # First quartile; tied weights may make it zero, where the smallest positive value serves as scale.
    quartile = x[max(int(m / 4 + 0.5) - 1, 0)]
    scale = quartile if quartile > 0.0 else x[x > 0.0][0]
    j = np.arange(1, grid + 1)
    theta = 1.0 / x[-1] + (1.0 - np.sqrt(grid / (j - 0.5))) / (3.0 * scale)
    theta = theta[theta != 0.0]
    shape = np.log1p(-theta[:, None] * x).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = m * (np.log(-theta / shape) - shape - 1.0)
    log_likelihood = np.where(np.isfinite(log_likelihood), log_likelihood, -np.inf)
    posterior = np.exp(log_likelihood - log_likelihood.max())
    best = float(theta @ posterior / posterior.sum())
    k = float(np.log1p(-best * x).mean())
    return k, -k / best


def pareto_smooth(log_weights: np.ndarray) -> ParetoSmoothed:
    """Smooths the largest weights and estimates their tail shape.

    Args:
        log_weights: Log-weights of all attempted samples [n], -inf for the invalid ones.
    """
    log_weights = np.asarray(log_weights, dtype=np.float64)
    order = np.argsort(log_weights, kind="stable")
    finite = int(np.isfinite(log_weights).sum())
    m = min(tail_length(len(log_weights)), finite - 1)
    if m < MIN_TAIL:
        return ParetoSmoothed(np.inf, log_weights.copy())
    tail = order[-m:]
    top = log_weights[order[-1]]
    threshold = np.exp(log_weights[order[-m - 1]] - top)
    exceedances = np.exp(log_weights[tail] - top) - threshold
    if exceedances[-1] <= 1e-12:  # all tail weights equal: there is no tail
        return ParetoSmoothed(0.0, log_weights.copy())
    raw, sigma = fit_generalised_pareto(exceedances)
    k = (m * raw + 0.5 * PRIOR_STRENGTH) / (m + PRIOR_STRENGTH)
    smoothed = log_weights.copy()
    expected = threshold + _quantile((np.arange(m) + 0.5) / m, k, sigma)
    smoothed[tail] = np.minimum(np.log(expected), 0.0) + top
    return ParetoSmoothed(k, smoothed)


def pareto_k(log_weights: np.ndarray) -> float:
    """Tail shape k-hat of log-weights [n]; see :class:`ParetoSmoothed`."""
    return pareto_smooth(log_weights).k


def _quantile(p: np.ndarray, k: float, sigma: float) -> np.ndarray:
    """Inverse distribution function of the generalised Pareto distribution."""
    if abs(k) < 1e-9:
        return np.asarray(-sigma * np.log1p(-p))
    return np.asarray(sigma * np.expm1(-k * np.log1p(-p)) / k)
