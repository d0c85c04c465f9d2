"""Correlated frames of simulations: how long they remember, and blocks that may be taken as independent."""

from __future__ import annotations

import numpy as np


def autocorrelation_time(*chains: np.ndarray) -> float:
    """Integrated autocorrelation time 1 + 2 sum_t rho(t) of one or more chains, in frames, at least 1.

    Deviations are taken from the mean of all chains: chains that stay in different states then show a
    correlation that does not decay, as they should. The sum stops at the first window that exceeds five times
    the time it gives (Sokal 1997).

    Args:
        *chains: An observable along each chain [n_i].
    """
    longest = max(len(chain) for chain in chains)
    mean = float(np.concatenate(chains).mean())
    correlation = np.zeros(longest)
    for chain in chains:
        spectrum = np.fft.rfft(np.asarray(chain, dtype=np.float64) - mean, n=2 * longest)
        correlation += np.fft.irfft(spectrum * spectrum.conj())[:longest]
    if longest < 4 or correlation[0] <= 1e-20 * (1.0 + mean**2):
        return 1.0
    tau = 2.0 * np.cumsum(correlation / correlation[0]) - 1.0
    windows = np.arange(longest) >= 5.0 * tau
    stop = int(np.argmax(windows)) if windows.any() else longest - 1
    return max(1.0, float(tau[stop]))


def independent_blocks(walker: np.ndarray, *observables: np.ndarray, min_blocks: int = 4) -> np.ndarray:
    """Labels blocks of consecutive frames, five correlation times long, that count as independent.

    A walker that remembers longer than it runs is one block.

    Args:
        walker: Walker that each frame belongs to [n], int; frames of a walker in time order.
        *observables: Quantities whose slowest correlation decides [n]; angles as their sine and cosine.
        min_blocks: With fewer walkers than this, walkers are divided even where they are too slow for it;
            the error is then a lower bound.

    Returns:
        Label of the block of each frame [n], int64.
    """
    walkers = [np.flatnonzero(walker == w) for w in np.unique(walker)]
    slowest = max((autocorrelation_time(*(v[rows] for rows in walkers)) for v in observables), default=1.0)
    least = int(np.ceil(min_blocks / len(walkers)))
    labels = np.zeros(len(walker), dtype=np.int64)
    offset = 0
    for rows in walkers:
        count = min(len(rows), max(least, int(len(rows) / np.ceil(5.0 * slowest))))
        labels[rows] = offset + np.arange(len(rows)) * count // len(rows)
        offset += count
    return labels
