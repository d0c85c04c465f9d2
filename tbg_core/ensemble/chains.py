"""Correlated frames of simulations: how long they remember, and blocks that may be taken as independent."""

from __future__ import annotations

import numpy as np


def autocorrelation_time(values: np.ndarray) -> float:
    """Integrated autocorrelation time 1 + 2 sum_t rho(t) of a chain, in frames, at least 1.

    The sum stops at the first window that exceeds five times the time it gives (Sokal 1997).

    Args:
        values: An observable along the chain [n].
    """
    n = len(values)
    centred = np.asarray(values, dtype=np.float64) - np.mean(values)
    if n < 4 or not np.any(centred):
        return 1.0
    spectrum = np.fft.rfft(centred, n=2 * n)
    correlation = np.fft.irfft(spectrum * spectrum.conj())[:n]
    tau = 2.0 * np.cumsum(correlation / correlation[0]) - 1.0
    windows = np.arange(n) >= 5.0 * tau
    stop = int(np.argmax(windows)) if windows.any() else n - 1
    return max(1.0, float(tau[stop]))


def independent_blocks(walker: np.ndarray, *observables: np.ndarray, min_blocks: int = 10) -> np.ndarray:
    """Labels blocks of consecutive frames, several correlation times long, that count as independent.

    Args:
        walker: Walker that each frame belongs to [n], int; frames of a walker in time order.
        *observables: Quantities whose slowest correlation decides [n]; angles as their sine and cosine.
        min_blocks: Blocks are not made longer than leaves this many, however slow the chain; errors of such
            a chain are lower bounds.

    Returns:
        Label of the block of each frame [n], int64.
    """
    labels = np.zeros(len(walker), dtype=np.int64)
    ids = np.unique(walker)
    slowest = max(
        (autocorrelation_time(values[walker == w]) for w in ids for values in observables), default=1.0
    )
    offset = 0
    for w in ids:
        rows = np.flatnonzero(walker == w)
        most = max(1, int(np.ceil(min_blocks / len(ids))))
        count = max(most, int(len(rows) / np.ceil(5.0 * slowest)), 1)
        count = min(count, len(rows))
        labels[rows] = offset + np.arange(len(rows)) * count // len(rows)
        offset += count
    return labels
