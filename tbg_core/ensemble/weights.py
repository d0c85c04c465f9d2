"""Importance weights: how many independent samples they are worth, and how they are spread.

Everything takes log-weights of *all attempted* samples, with -inf for the invalid ones: a sample that was
thrown away still cost its share, and its zero weight belongs to the average that estimates log Z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

TRIMMED_FRACTION: Final = 0.002
"""Share of the largest weights that :attr:`WeightSummary.ess_trimmed` leaves out, as published work does."""


def normalised(log_weights: np.ndarray) -> np.ndarray:
    """Weights [n] that sum to one; all zero where every sample is invalid."""
    relative = relative_weights(log_weights)
    total = relative.sum()
    return relative / total if total > 0.0 else relative


def relative_weights(log_weights: np.ndarray) -> np.ndarray:
    """Weights [n] divided by the largest, which keeps them representable; zero where log w = -inf."""
    if not np.isfinite(log_weights).any():
        return np.zeros(len(log_weights))
    return np.asarray(np.exp(log_weights - log_weights[np.isfinite(log_weights)].max()))


def kish_ess(log_weights: np.ndarray) -> float:
    """Effective sample size (sum w)^2 / sum w^2 (Kish 1965); 0 where every weight is zero."""
    w = relative_weights(log_weights)
    return float(w.sum() ** 2 / (w @ w)) if w.any() else 0.0


def log_mean_weight(log_weights: np.ndarray) -> float:
    """Estimate of log Z - log Z_q: the log of the mean weight over all rows, -inf where all are zero."""
    w = relative_weights(log_weights)
    if not w.any():
        return -np.inf
    return float(np.log(w.mean()) + log_weights[np.isfinite(log_weights)].max())


def systematic_rows(log_weights: np.ndarray, n: int, offset: float) -> np.ndarray:
    """Draws n rows by weight, systematically: n equally spaced ticks on the cumulative weight, ascending.

    Row i is drawn n w_i / sum w times, rounded up or down.

    Args:
        log_weights: Log-weights, at least one of them finite.
        n: How many to draw.
        offset: Of the ticks, uniform in [0, 1); the only random number.
    """
    cumulative = np.cumsum(relative_weights(log_weights))
    rows = np.searchsorted(cumulative, (np.arange(n) + offset) / n * cumulative[-1], side="right")
    return np.asarray(np.minimum(rows, len(cumulative) - 1))


def trimmed_ess(log_weights: np.ndarray, fraction: float = TRIMMED_FRACTION) -> float:
    """Kish ESS without the largest weights; a diagnostic, biased, never a replacement of the raw figure.

    Args:
        log_weights: Log-weights of all attempted samples [n].
        fraction: Share of the n samples to leave out, largest weights first; rounded up.
    """
    drop = int(np.ceil(fraction * len(log_weights)))
    return kish_ess(np.sort(log_weights)[: len(log_weights) - drop])


@dataclass(frozen=True)
class WeightSummary:
    """How the weights of an ensemble are spread.

    Attributes:
        ess: Kish ESS of all attempted samples.
        ess_fraction: ``ess`` over the number attempted.
        ess_trimmed: ESS without the largest 0.2 % of the weights, to be read beside ``ess`` only.
        largest: The largest normalised weights, descending, at most ten.
        half_ess: ESS of the first and of the second half of the samples.
        half_log_z: log mean weight of the two halves.
        samples_for_half: Smallest number of samples that together hold half of the weight.
    """

    ess: float
    ess_fraction: float
    ess_trimmed: float
    largest: tuple[float, ...]
    half_ess: tuple[float, float]
    half_log_z: tuple[float, float]
    samples_for_half: int


def summarise(log_weights: np.ndarray, rows: np.ndarray | None = None) -> WeightSummary:
    """Summarises log-weights [n] of all attempted samples.

    Args:
        log_weights: Of independent draws.
        rows: Of the rows that descend from them, where those are others: log Z is the mean over rows.
    """
    n = len(log_weights)
    halves = log_weights[: n // 2], log_weights[n // 2 :]
    rows = log_weights if rows is None else rows
    parts = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    w = np.sort(normalised(log_weights))[::-1]
    ess = kish_ess(log_weights)
    return WeightSummary(
        ess=ess,
        ess_fraction=ess / n if n else 0.0,
        ess_trimmed=trimmed_ess(log_weights),
        largest=tuple(float(x) for x in w[:10] if x > 0.0),
        half_ess=(kish_ess(halves[0]), kish_ess(halves[1])),
        half_log_z=(log_mean_weight(parts[0]), log_mean_weight(parts[1])),
        samples_for_half=int(np.searchsorted(np.cumsum(w), 0.5) + 1) if w.any() else 0,
    )
