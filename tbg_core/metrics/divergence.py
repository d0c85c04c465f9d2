"""Jensen-Shannon divergence of Ramachandran histograms whose cells are clusters of the reference."""

from __future__ import annotations

from typing import Final

import numpy as np

from tbg_core.randomness import generator

CLUSTERS: Final = 20


class RamachandranCells:
    """Twenty cells of the torus, found by k-means on the sines and cosines of a reference's angles.

    Args:
        angles: phi and psi of the reference [n, d], radians.
        seed: Of k-means.

    Source: Tan et al. 2025, arXiv:2508.18175, appendix E (k = 20).
    """

    def __init__(self, angles: np.ndarray, seed: int = 0) -> None:
        from scipy.cluster.vq import kmeans2

        points = _embedded(angles)
        # k-means++ draws its starts from the points: with fewer than k different ones some cells stay empty.
        self.centres, _ = kmeans2(points, CLUSTERS, minit="++", seed=generator(seed, "ramachandran"))

    def histogram(self, angles: np.ndarray) -> np.ndarray:
        """Share of each cell [20] among angles [n, d]."""
        from scipy.cluster.vq import vq

        cells, _ = vq(_embedded(angles), self.centres)
        return np.bincount(cells, minlength=CLUSTERS) / len(angles)


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon divergence of two histograms [m] that sum to one, in nats: 0 to log 2."""
    m = 0.5 * (p + q)
    return 0.5 * _relative_entropy(p, m) + 0.5 * _relative_entropy(q, m)


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    some = p > 0.0
    return float(p[some] @ np.log(p[some] / q[some]))


def _embedded(angles: np.ndarray) -> np.ndarray:
    """Angles [n, d] as points [n, 2 d] on circles."""
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
