"""Bootstrap intervals of ratios of sums: self-normalised averages, log Z, free energies, chain averages.

Every estimate made from weighted samples is a ratio R = sum a / sum b, or its logarithm: an average has
a = w f and b = w, a free-energy difference a = w 1_B and b = w 1_A, log Z has a = w and b = 1. One routine
therefore serves them all. The unit that is resampled is a *group* of rows: one row for independent draws, all
descendants of one draw after resampling, a block of consecutive frames for a chain.

The interval is the studentised bootstrap (bootstrap-t; Efron and Tibshirani 1993, chapter 12), with the delta
method's standard error in each replicate. It was chosen by measurement: an asymmetric double well, five
Gaussian proposals, an ESS from 14 to 300, 400 repeats, nominal 90 %. Means, probabilities, free energies and
log Z were covered in 86-94 % of the repeats, against 85-92 % by percentile, 84-92 % by basic and 86-92 % by
BCa intervals; at an ESS of 14 it was 92-93 % against 85-87, 84-91 and 88-90 %. Above an ESS of 200 all agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

REPLICATES: Final = 1000
LEVEL: Final = 0.9

MAX_GROUPS: Final = 10_000
"""Independent groups beyond this number are summed in runs of equal length first, which loses nothing that
matters to an interval and bounds the cost."""

LOST_REPLICATES: Final = 0.05
"""If more than this share of the replicates has no value (a region is lost), the interval is refused: the
region then holds fewer than about three effective samples."""

_CHUNK: Final = 64


@dataclass(frozen=True)
class Ratios:
    """Estimates of m ratios.

    Attributes:
        value: sum a / sum b, or its logarithm [m].
        error: Delta-method standard error [m].
        low: Lower ends of the intervals [m]; nan where there are too few effective samples for one.
        high: Upper ends [m].
    """

    value: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray


def ratio_intervals(
    numerators: np.ndarray,
    denominators: np.ndarray,
    rng: np.random.Generator,
    *,
    log: bool = False,
    groups: np.ndarray | None = None,
    level: float = LEVEL,
    replicates: int = REPLICATES,
) -> Ratios:
    """Estimates R_j = sum_i a_ij / sum_i b_ij with studentised bootstrap intervals.

    Args:
        numerators: a [n, m].
        denominators: b [n, m] or [n, 1]; one row per attempted sample, zero-weight rows included.
        rng: Source of randomness, e.g. ``tbg_core.randomness.generator(seed, "bootstrap", name)``.
        log: Estimate log R instead, for which a and b must not be negative.
        groups: Label of the independent group of each row [n], int; every row is its own if None.
        level: Nominal coverage.
        replicates: Number of bootstrap replicates.
    """
    a, b = _grouped(np.asarray(numerators, dtype=np.float64), np.asarray(denominators, np.float64), groups)
    columns = np.concatenate([a, b, a * a, a * b, b * b], axis=1)
    widths = [a.shape[1], b.shape[1], a.shape[1], a.shape[1], b.shape[1]]

    def evaluate(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _value_and_error(*np.split(sums, np.cumsum(widths)[:-1], axis=-1), log=log)

    value, error = evaluate(columns.sum(axis=0))
    if groups is not None and len(a) < 2:
        error = np.full_like(error, np.nan)  # one group has no spread that could be seen
    drawn = [evaluate(counts @ columns) for counts in _resampled_counts(len(a), replicates, rng)]
    values = np.concatenate([v for v, _ in drawn])
    errors = np.concatenate([e for _, e in drawn])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(errors > 0.0, (values - value) / errors, np.nan)
    low, high = np.full_like(value, np.nan), np.full_like(value, np.nan)
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    for j in range(len(value)):
        if error[j] == 0.0:  # a constant: exact
            low[j] = high[j] = value[j]
            continue
        usable = t[np.isfinite(t[:, j]), j]
        if len(usable) >= (1.0 - LOST_REPLICATES) * replicates and np.isfinite(error[j]):
            # The quantiles of t cross over: a large t means that this sample would have erred low.
            t_low, t_high = np.quantile(usable, tails)
            low[j], high[j] = value[j] - t_high * error[j], value[j] - t_low * error[j]
    return Ratios(value, error, low, high)


def _value_and_error(
    a: np.ndarray, b: np.ndarray, aa: np.ndarray, ab: np.ndarray, bb: np.ndarray, *, log: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Value and delta-method error from sums of a, b and their products [..., m]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = a / b
        variance = (aa - 2.0 * ratio * ab + ratio**2 * bb) / b**2
        # Rounding leaves about 1e-16 of the terms where the exact result is zero.
        variance = np.where(variance > 1e-14 * aa / b**2, variance, 0.0 * variance)
        if not log:
            return ratio, np.sqrt(variance)
        return np.log(ratio), np.sqrt(variance) / ratio


def _grouped(a: np.ndarray, b: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the rows of each independent group, at most ``MAX_GROUPS`` of them."""
    if groups is not None:
        _, labels = np.unique(groups, return_inverse=True)
        a, b = _sum_by(a, labels), _sum_by(b, labels)
    if len(a) > MAX_GROUPS:
        labels = np.arange(len(a)) * MAX_GROUPS // len(a)
        a, b = _sum_by(a, labels), _sum_by(b, labels)
    return a, b


def _sum_by(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    total = np.zeros((int(labels.max(initial=-1)) + 1, rows.shape[1]))
    np.add.at(total, labels, rows)
    return total


def _resampled_counts(n: int, replicates: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each of n groups occurs in each replicate, in chunks [chunk, n]."""
    for start in range(0, replicates, _CHUNK):
        size = min(_CHUNK, replicates - start)
        drawn = rng.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
