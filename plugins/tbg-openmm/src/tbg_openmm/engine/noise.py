"""Gaussian noise that is a function of (seed, stream, step, degree of freedom), whoever draws it.

Philox 4x32-10 (Salmon et al., SC 2011) with the seed as key; the counter holds the number of the quadruple of
degrees of freedom, the step and the stream. The four words of a quadruple become four normal variates by Box and
Muller's transform. The native kernel computes the same numbers, up to rounding.
"""

from __future__ import annotations

from typing import Final

import numpy as np

_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_ROUNDS: Final = 10


def philox(counter: np.ndarray, seed: int) -> np.ndarray:
    """Four words of 32 random bits for each counter.

    Args:
        counter: Words of 32 bits [..., 4], as uint64.
        seed: 64 bits.

    Returns:
        [..., 4], uint64, each below 2^32.
    """
    a, b, c, d = np.moveaxis(counter.astype(np.uint64), -1, 0)
    keys = [seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF]
    for _ in range(_ROUNDS):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            (second >> _HALF) ^ b ^ np.uint64(keys[0]),
            second & _LOW,
            (first >> _HALF) ^ d ^ np.uint64(keys[1]),
            first & _LOW,
        )
        keys = [(key + weyl) & 0xFFFFFFFF for key, weyl in zip(keys, _WEYL, strict=True)]
    return np.stack([a, b, c, d], axis=-1)


def normals(seed: int, streams: np.ndarray, step: int, count: int) -> np.ndarray:
    """Standard normal variates.

    Args:
        seed: 64 bits.
        streams: One stream per row [B], int64.
        step: Number of the step, below 2^44.
        count: How many variates per row, at most 2^22.

    Returns:
        [B, count], float64.
    """
    quadruples = -(-count // 4)
    counter = np.empty((len(streams), quadruples, 4), dtype=np.uint64)
    counter[..., 0] = np.arange(quadruples, dtype=np.uint64) + np.uint64((step >> 32) << 20)
    counter[..., 1] = step & 0xFFFFFFFF
    words = np.asarray(streams, dtype=np.int64).astype(np.uint64)[:, None]
    counter[..., 2] = words & _LOW
    counter[..., 3] = words >> _HALF
    bits = philox(counter, seed).astype(np.float64)
    radius = np.sqrt(-2 * np.log((bits[..., 0::2] + 0.5) * 2.0**-32))
    angle = bits[..., 1::2] * (2 * np.pi * 2.0**-32)
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return np.asarray(pairs.reshape(len(streams), -1)[:, :count])
