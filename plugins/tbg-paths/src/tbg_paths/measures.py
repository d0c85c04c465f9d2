"""Numbers of a path, and how many independent paths a chain is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tbg_core.observables.observable import Observable
    from tbg_paths.regions import Region


@dataclass(frozen=True)
class Passages:
    """When paths cross, in frames from 0.

    Attributes:
        leaves: Last frame in A before B is first reached [...].
        arrives: First frame in B [...].
    """

    leaves: np.ndarray
    arrives: np.ndarray

    @classmethod
    def of(cls, in_start: np.ndarray, in_end: np.ndarray) -> Passages:
        """Of paths by whether each frame lies in A and in B [..., L]; they begin in A and end in B."""
        frames = np.arange(in_start.shape[-1])
        arrives = in_end.argmax(axis=-1)
        before = in_start & (frames < arrives[..., None])
        leaves = np.where(before, frames, -1).max(axis=-1)
        return cls(leaves, arrives)

    @property
    def transition(self) -> np.ndarray:
        """Frames of the transition itself [...]."""
        return np.asarray(self.arrives - self.leaves)


@dataclass(frozen=True)
class Ensemble:
    """Stored paths of the C chains of a set of moves, as numbers.

    Attributes:
        cvs: Values of the two observables [C, S, L, 2].
        passages: Of each path [C, S].
        periods: Periods of the observables.
    """

    cvs: np.ndarray
    passages: Passages
    periods: tuple[float | None, float | None]

    @classmethod
    def of(cls, paths: np.ndarray, cvs: tuple[Observable, Observable], start: Region, end: Region) -> Ensemble:
        """Of paths [C, S, L, *event]."""
        flat, shape = paths.reshape(-1, *paths.shape[3:]).astype(np.float64), paths.shape[:3]
        values = np.stack([cv(flat) for cv in cvs], axis=-1).reshape(*shape, 2)
        passages = Passages.of(start.contains(flat).reshape(shape), end.contains(flat).reshape(shape))
        return cls(values, passages, (cvs[0].period, cvs[1].period))

    def measures(self) -> dict[str, np.ndarray]:
        """Numbers of each path [C, S] that the effective number of paths is measured by."""
        frames = self.cvs.shape[2]
        found: dict[str, np.ndarray] = {
            "transition time": self.passages.transition.astype(float),
            "last frame in A": self.passages.leaves.astype(float),
        }
        for i, period in enumerate(self.periods):
            for label, at in (("quarter", frames // 4), ("middle", frames // 2), ("three quarters", 3 * frames // 4)):
                value = self.cvs[:, :, at, i]
                if period is not None:
                    value = np.cos(2.0 * np.pi * (value - np.median(self.cvs[:, :, 0, i])) / period)
                found[f"cv {i + 1} at the {label}"] = value
        return found


def centre(values: np.ndarray, period: float | None) -> tuple[float, float]:
    """Mean and standard deviation of an observable [n], on the circle if it has a period."""
    if period is None:
        return float(values.mean()), float(values.std(ddof=1))
    mean = np.angle(np.exp(2j * np.pi * values / period).mean()) * period / (2.0 * np.pi)
    away = (values - mean + period / 2.0) % period - period / 2.0
    return float(mean), float(np.sqrt(np.square(away).sum() / (len(away) - 1)))


MIXED: Final = 2.0
"""Effective paths per chain from which chains count as mixed: below it they remember where they began."""


def effective_size(values: np.ndarray) -> float:
    """Number of independent values that C chains of S values [C, S] are worth.

    Halves of chains count as chains: what has drifted has not mixed. From autocorrelations that count the spread
    between them as well as within, summed over pairs of lags until a pair is negative (Geyer, Stat. Sci. 7, 473 (1992);
    Vehtari et al., Bayesian Anal. 16, 667 (2021)). Chains that have not mixed are worth about their number, not more.
    """
    if values.shape[1] < 8 or not np.ptp(values) > 0:
        return float(len(values)) if np.ptp(values) > 0 else 0.0
    values = _in_halves(values)
    chains, n = values.shape
    centred = values - values.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * n, axis=1)
    covariance = np.fft.irfft(spectrum * spectrum.conj(), axis=1)[:, :n].mean(axis=0) / n
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + values.mean(axis=1).var(ddof=1)
    correlation = 1.0 - (within - covariance) / total
    sum_of_pairs = 0.0
    for even in range(0, n - 1, 2):
        pair = correlation[even] + correlation[even + 1]
        if pair < 0.0:
            break
        sum_of_pairs += pair
    return float(chains * n / max(2.0 * sum_of_pairs - 1.0, 1.0 / np.log10(max(chains * n, 10))))


def r_hat(values: np.ndarray) -> float:
    """Spread of C chains [C, S] together over that within halves of them: 1 where all agree (Vehtari et al.)."""
    if values.shape[1] < 8 or not np.ptp(values) > 0:
        return float("nan")
    parts = _in_halves(values)
    within, n = parts.var(axis=1, ddof=1).mean(), parts.shape[1]
    return float(np.sqrt((n - 1) / n + parts.mean(axis=1).var(ddof=1) / within)) if within > 0 else float("inf")


def _in_halves(values: np.ndarray) -> np.ndarray:
    n = values.shape[1] // 2
    return np.concatenate([values[:, :n], values[:, -n:]])


def least_effective(measures: Mapping[str, np.ndarray]) -> tuple[float, str]:
    """The smallest effective number of paths among the measures that vary, and which it is."""
    found = {name: effective_size(values) for name, values in measures.items() if np.ptp(values) > 0}
    if not found:
        return 0.0, "none: no path ever changed"
    name = min(found, key=lambda key: found[key])
    return found[name], name


def over_chains(
    statistic: Callable[[np.ndarray], np.ndarray], values: np.ndarray, *, seed: int, resamples: int = 400
) -> tuple[np.ndarray, np.ndarray]:
    """A statistic and its standard error by the block bootstrap: chains are drawn whole, with replacement.

    Args:
        statistic: Of values [C, ...].
        values: By chain.
        seed: Of the bootstrap.
        resamples: Number of resamples.
    """
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(values), size=(resamples, len(values)))
    drawn = np.stack([statistic(values[row]) for row in rows])
    spread = drawn.std(axis=0, ddof=1) * np.sqrt(len(values) / max(len(values) - 1, 1))
    return np.asarray(statistic(values)), np.asarray(spread)
