"""Wasserstein-2 distances: W2(mu, nu) = sqrt(min_pi sum_ij pi_ij c_ij^2), exactly.

Between sets of equally many, equally weighted points the best plan is a permutation, which the assignment solver of
scipy finds: the same number as a linear program gives, in about the same time. It is exact for the *points*; between
two finite samples of one distribution it is not zero, and falls slowly with their number (about n^-1/2 in the plane).
Distances are only comparable at equal numbers of points.

Source: definitions of Tan et al. 2025, arXiv:2508.18175, appendix E.
"""

from __future__ import annotations

import numpy as np


def w2_line(a: np.ndarray, b: np.ndarray) -> float:
    """W2 of two sets of numbers, a [n] and b [m], from their quantile functions; for u in kT: the E-W2.

    Raises:
        ValueError: If one is empty or holds a number that is not finite.
    """
    for values in (a, b):
        if not len(values) or not np.isfinite(values).all():
            raise ValueError("a distance needs finite numbers on both sides.")
    a, b = np.sort(a), np.sort(b)
    if len(a) == len(b):
        return float(np.sqrt(np.mean((a - b) ** 2)))
    # Both quantile functions are constant between consecutive multiples of 1/n and 1/m.
    levels = np.unique(np.concatenate([np.arange(1, len(a) + 1) * len(b), np.arange(1, len(b) + 1) * len(a)]))
    share = np.diff(levels, prepend=0) / (len(a) * len(b))
    gap = a[(levels - 1) // len(b)] - b[(levels - 1) // len(a)]
    return float(np.sqrt(share @ gap**2))


def w2_torus(a: np.ndarray, b: np.ndarray) -> float:
    """W2 of two sets of angles [n, d], radians: c^2 is the sum of squared differences, each the shorter way round.

    With all phi and psi of a peptide: the T-W2.
    """
    cost = np.zeros((len(a), len(b)))
    for x, y in zip(a.T, b.T, strict=True):
        gap = np.abs(x[:, None] - y[None]) % (2.0 * np.pi)
        np.minimum(gap, 2.0 * np.pi - gap, out=gap)
        cost += gap**2
    return _assigned(cost)


def w2_plane(a: np.ndarray, b: np.ndarray) -> float:
    """W2 of two sets of points [n, d] at the Euclidean distance; in the first two TICs: the TICA-W2."""
    cost = np.zeros((len(a), len(b)))
    for x, y in zip(a.T, b.T, strict=True):
        cost += (x[:, None] - y[None]) ** 2
    return _assigned(cost)


def _assigned(cost: np.ndarray) -> float:
    from scipy.optimize import linear_sum_assignment

    if cost.shape[0] != cost.shape[1] or not len(cost):
        raise ValueError(f"a distance needs equally many points on both sides, not {cost.shape}.")
    return float(np.sqrt(cost[linear_sum_assignment(cost)].mean()))
