"""Weights of one population: how even they are, and drawing by them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tbg_core.ensemble.weights import kish_ess, log_mean_weight, systematic_rows

_SHORTEST: Final = 0.005
_BISECTIONS: Final = 40


def systematic(log_weights: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """Draws n rows by weight with one random offset, in random order; every row is drawn n w / sum w times on average.

    The order is random so that a part of the rows drawn stands for all of them.

    Args:
        log_weights: Log-weights, at least one of them finite.
        n: How many to draw.
        random: Source of randomness.
    """
    return np.asarray(random.permutation(systematic_rows(log_weights, n, random.random())))


def evenness(log_weights: np.ndarray) -> float:
    """Kish ESS over the number of weights: 1 where all are equal."""
    return kish_ess(log_weights) / max(1, len(log_weights))


def next_temperature(log_ratio: np.ndarray, t: float, evenness_wanted: float) -> float:
    """The next t of an annealing schedule: the largest that leaves the weights of a step so even.

    Args:
        log_ratio: log w = -u - log q of evenly weighted points.
        t: Where they are now.
        evenness_wanted: Of the weights exp((t' - t) log w), between 0 and 1.
    """
    if evenness((1.0 - t) * log_ratio) >= evenness_wanted:
        return 1.0
    low, high = 0.0, 1.0 - t
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if evenness(middle * log_ratio) >= evenness_wanted:
            low = middle
        else:
            high = middle
    # A few outliers must not stop the schedule.
    return min(1.0, t + max(low, _SHORTEST))


def log_mean(log_weights: np.ndarray, n: int) -> float:
    """log of the sum of weights over n: rows that are not among them weigh nothing."""
    return log_mean_weight(log_weights) + math.log(max(1, len(log_weights)) / n)
