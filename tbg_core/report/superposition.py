"""Conformations laid over each other: the rotation that brings each nearest to their common mean."""

from __future__ import annotations

from typing import Final

import numpy as np

_ROUNDS: Final = 20


def rotations_onto(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Proper rotations R [n, 3, 3] that minimise |x R - target|^2 for centred x [n, K, 3] and target [K, 3].

    Kabsch (1976), by singular value decomposition; never a reflection, so that mirror images stay what they are.
    """
    u, _, vt = np.linalg.svd(np.swapaxes(x, 1, 2) @ target)
    sign = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= np.where(sign == 0.0, 1.0, sign)[:, None]
    return np.asarray(u @ vt)


def mean_structure(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of conformations [n, K, 3] after superposition (generalised Procrustes, without scaling) [K, 3].

    Its principal axes are those of the coordinates, the longest first: what is drawn along x and y shows most.
    """
    centred = x - x.mean(axis=1, keepdims=True)
    share = weights / weights.sum()
    mean = centred[int(np.argmax(share))]
    for _ in range(_ROUNDS):
        previous = mean
        mean = np.einsum("n,nkc->kc", share, centred @ rotations_onto(centred, mean))
        if np.abs(mean - previous).max() < 1e-6:
            break
    _, _, axes = np.linalg.svd(mean, full_matrices=True)
    axes[2] *= np.linalg.det(axes)
    return np.asarray(mean @ axes.T)


def superposed(x: np.ndarray, atoms: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Conformations [n, N, 3] moved as wholes so that ``atoms`` [K] come nearest to ``target`` [K, 3]."""
    x = np.asarray(x, dtype=np.float64)
    centred = x - x[:, atoms].mean(axis=1, keepdims=True)
    return np.asarray(centred @ rotations_onto(centred[:, atoms], target))
