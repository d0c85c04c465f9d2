"""Free energies along an observable: profiles with a band, and differences between regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.ensemble.averages import energy_factor
from tbg_core.ensemble.bootstrap import LEVEL, ratio_intervals
from tbg_core.ensemble.estimate import Estimate
from tbg_core.errors import ConfigError
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from tbg_core.ensemble.ensemble import Ensemble, Observe

DEFAULT_BINS: Final = 36

Region = tuple[float, float]
"""Ends (low, high) in the unit of the observable; low > high runs through the end of a period."""


@dataclass(frozen=True)
class Profile:
    """F(s) = -log p(s) along an observable s, its minimum shifted to zero.

    The band is that of -log p(s) itself: it is not zero at the minimum, because which bin is lowest is no
    knowledge but part of the estimate.

    Attributes:
        name: Name of the observable.
        unit: Unit of the observable.
        period: Period of the observable, or None.
        edges: Bin edges [m + 1].
        free_energy: F of each bin [m], in ``energy_unit``; inf where no weight fell.
        error: Standard errors [m].
        low: Lower end of the band [m]; nan where a bin holds too few effective samples, or everywhere if
            the ensemble is not reliable.
        high: Upper end of the band [m].
        reliable: False if no band may be shown.
        level: Nominal coverage of the band at each bin.
        energy_unit: Unit of F, its errors and its band.
    """

    name: str
    unit: str
    period: float | None
    edges: np.ndarray
    free_energy: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reliable: bool
    level: float = LEVEL
    energy_unit: str = "kT"

    @property
    def centres(self) -> np.ndarray:
        """Bin centres [m]."""
        centres: np.ndarray = 0.5 * (self.edges[1:] + self.edges[:-1])
        return centres


def profile(
    ensemble: Ensemble,
    observable: Observe,
    *,
    bins: int | np.ndarray = DEFAULT_BINS,
    unit: str = "kT",
    level: float = LEVEL,
    seed: int = 0,
) -> Profile:
    """Free-energy profile by weighted histogram.

    Args:
        ensemble: Weighted samples.
        observable: An observable or its text, or a function of positions [n, *event] that gives [n].
        bins: Number of bins, or their edges.
        unit: ``"kT"``, ``"kJ/mol"`` or ``"kcal/mol"``.
        level: Nominal coverage of the band at each bin.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: If the observable does not exist, there is no bin, or the unit is not an energy unit.
    """
    factor = energy_factor(ensemble, unit)
    observable = ensemble.observable(observable) if isinstance(observable, str) else observable
    values = ensemble.evaluate(observable)
    period = getattr(observable, "period", None)
    w = ensemble.relative_weights
    edges = bin_edges(values, w, period, bins) if isinstance(bins, int) else np.asarray(bins, np.float64)
    name = getattr(observable, "name", "observable")
    estimate = histogram_profile(
        values, w, edges, groups=ensemble.groups, level=level, seed=seed, stream=f"profile/{name}"
    )
    free, error, low, high = estimate
    if not ensemble.reliability.reliable:
        low, high = np.full_like(free, np.nan), np.full_like(free, np.nan)
    along = getattr(observable, "unit", "")
    free, error, low, high = (column * factor for column in (free, error, low, high))
    return Profile(name, along, period, edges, free, error, low, high, ensemble.reliability.reliable, level, unit)


def histogram_profile(
    values: np.ndarray,
    weights: np.ndarray,
    edges: np.ndarray,
    *,
    groups: np.ndarray | None,
    level: float = LEVEL,
    seed: int = 0,
    stream: str = "profile",
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """F, its error and band from loose arrays, for ensembles and simulations alike.

    Args:
        values: Observable [n]; nan where it has no value.
        weights: Weights [n], any normalisation.
        edges: Bin edges [m + 1].
        groups: Independent groups of rows [n], or None.
        level: Nominal coverage.
        seed: Seed of the bootstrap.
        stream: Name of the random stream.

    Returns:
        F, error, low and high, each [m], kT.
    """
    index = np.searchsorted(edges, values, side="right") - 1
    index = np.where(values == edges[-1], len(edges) - 2, index)  # as numpy.histogram: the last bin is closed
    inside = (index >= 0) & (index < len(edges) - 1) & np.isfinite(values)
    indicator = np.zeros((len(values), len(edges) - 1))
    indicator[np.flatnonzero(inside), index[inside]] = weights[inside]
    ratios = ratio_intervals(
        indicator,
        np.where(np.isfinite(values), weights, 0.0)[:, None],
        generator(seed, stream),
        log=True,
        groups=groups,
        level=level,
    )
    free = -ratios.value + np.log(np.diff(edges))
    shift = free[np.isfinite(free)].min() if np.isfinite(free).any() else 0.0
    offset = np.log(np.diff(edges)) - shift
    return free - shift, ratios.error, -ratios.high + offset, -ratios.low + offset


def difference(
    ensemble: Ensemble,
    observable: Observe,
    region_a: Region,
    region_b: Region,
    *,
    unit: str = "kT",
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Free energy of region B less that of region A, -log(P_B / P_A).

    Args:
        ensemble: Weighted samples.
        observable: An observable or its text, or a function of positions [n, *event] that gives [n].
        region_a: Interval (low, high) of the observable, in its unit.
        region_b: Another interval.
        unit: ``"kT"``, ``"kJ/mol"`` or ``"kcal/mol"``.
        level: Nominal coverage of the interval.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: If the observable does not exist, or the unit is not an energy unit.
    """
    factor = energy_factor(ensemble, unit)
    observable = ensemble.observable(observable) if isinstance(observable, str) else observable
    values = ensemble.evaluate(observable)
    period = getattr(observable, "period", None)
    w = ensemble.relative_weights
    a = np.where(in_region(values, region_a, period), w, 0.0)
    b = np.where(in_region(values, region_b, period), w, 0.0)
    name = getattr(observable, "name", "observable")
    # log(P_A / P_B) = F_B - F_A.
    ratios = ratio_intervals(
        a[:, None],
        b[:, None],
        generator(seed, "free-energy", name),
        log=True,
        groups=ensemble.groups,
        level=level,
    )
    reason = "; ".join(ensemble.reliability.reasons)
    if not reason and not np.isfinite(ratios.low[0]):
        thin = region_a if a.sum() < b.sum() else region_b
        reason = f"the region {thin[0]:g} to {thin[1]:g} holds too few effective samples"
    interval = None if reason else (float(ratios.low[0]) * factor, float(ratios.high[0]) * factor)
    value, error = float(ratios.value[0]) * factor, float(ratios.error[0]) * factor
    return Estimate(value, error, interval, not reason, unit, level, reason)


def in_region(values: np.ndarray, region: Region, period: float | None) -> np.ndarray:
    """True where values [n] lie in a closed interval, which may run through the end of a period."""
    low, high = region
    if period is None:
        return np.asarray((values >= low) & (values <= high))
    width = period if high - low >= period else (high - low) % period
    return np.asarray((values - low) % period <= width)


def bin_edges(values: np.ndarray, weights: np.ndarray, period: float | None, bins: int) -> np.ndarray:
    """Equal bins over one period around zero, or over the range that holds all but 0.2 % of the weight.

    Raises:
        ConfigError: If there is no bin.
    """
    if bins < 1:
        raise ConfigError(f"a profile needs at least one bin, not {bins}.")
    if period is not None:
        return np.linspace(-0.5 * period, 0.5 * period, bins + 1)
    used = np.isfinite(values) & (weights > 0.0)
    if not used.any():
        return np.linspace(0.0, 1.0, bins + 1)
    order = np.argsort(values[used])
    x, cumulative = values[used][order], np.cumsum(weights[used][order])
    low, high = x[np.searchsorted(cumulative, np.array([0.001, 0.999]) * cumulative[-1])]
    margin = 0.02 * (high - low) or 0.5
    return np.linspace(low - margin, high + margin, bins + 1)
