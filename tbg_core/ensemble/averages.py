"""Expectation values and log Z of an ensemble, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.ensemble.bootstrap import LEVEL, ratio_intervals
from tbg_core.ensemble.estimate import Estimate
from tbg_core.errors import ConfigError
from tbg_core.randomness import generator
from tbg_core.units import energy_unit

if TYPE_CHECKING:
    from tbg_core.ensemble.ensemble import Ensemble, Observe


def expectation(
    ensemble: Ensemble, observable: Observe, *, unit: str = "", level: float = LEVEL, seed: int = 0
) -> Estimate:
    """Self-normalised average sum w f / sum w.

    A periodic observable is averaged on the branch around its circular mean, so that angles at +179 and -179
    degrees average to 180.

    Args:
        ensemble: Weighted samples.
        observable: An observable or its text, or a function of positions [n, *event] that gives [n].
        unit: Unit of the result; the observable's own by default. An :class:`~tbg_core.observables.Observable` is
            converted to it; of another function it says what the values are in.
        level: Nominal coverage of the interval.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: If the observable does not exist, or cannot be converted to the unit.
    """
    observable = ensemble.observable(observable) if isinstance(observable, str) else observable
    if unit and hasattr(observable, "to"):
        observable = observable.to(unit)
    values = ensemble.evaluate(observable)
    w = np.where(np.isfinite(values), ensemble.relative_weights, 0.0)
    values = unwrapped(values, w, getattr(observable, "period", None))
    name = getattr(observable, "name", "observable")
    unit = unit or getattr(observable, "unit", "")
    return _average(ensemble, values, unit, level, generator(seed, "expectation", name))


def mean_energy(ensemble: Ensemble, *, unit: str = "kJ/mol", level: float = LEVEL, seed: int = 0) -> Estimate:
    """Boltzmann average of the potential energy.

    Args:
        ensemble: Weighted samples.
        unit: ``"kT"``, ``"kJ/mol"`` or ``"kcal/mol"``.
        level: Nominal coverage of the interval.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: If the unit is not an energy unit.
    """
    factor = energy_factor(ensemble, unit)
    values = np.where(ensemble.valid, ensemble.reduced_energy, np.nan) * factor
    return _average(ensemble, values, unit, level, generator(seed, "mean-energy"))


def log_z(ensemble: Ensemble, *, level: float = LEVEL, seed: int = 0) -> Estimate:
    """log Z of the target (of log q's normalisation) from the mean weight of all attempted samples."""
    earlier = ensemble.provenance.get("resampled_from")
    reason = "; ".join(ensemble.reliability.reasons)
    if earlier is not None:  # uniform weights no longer know how uncertain their mean was
        value, error = float(earlier["log_z"]), float(earlier["log_z_err"])
        return Estimate(value, error, None, not reason, "", level, reason or "taken before resampling")
    w = ensemble.relative_weights
    if not w.any():
        return Estimate(-np.inf, np.nan, None, reliable=False, level=level, reason="every sample is invalid")
    ratios = ratio_intervals(
        w[:, None],
        np.ones((len(w), 1)),
        generator(seed, "log-z"),
        log=True,
        groups=ensemble.groups,
        level=level,
    )
    top = float(ensemble.log_weights[ensemble.valid].max())
    interval = None if reason else (float(ratios.low[0]) + top, float(ratios.high[0]) + top)
    value, error = float(ratios.value[0]) + top, float(ratios.error[0])
    return Estimate(value, error, interval, not reason, "", level, reason)


def energy_factor(ensemble: Ensemble, unit: str) -> float:
    """What an energy in kT is multiplied by to be in ``unit``.

    Raises:
        ConfigError: If the unit is not an energy unit.
    """
    try:
        return energy_unit(unit, ensemble.temperature_K)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def unwrapped(values: np.ndarray, weights: np.ndarray, period: float | None) -> np.ndarray:
    """Values [n] moved by whole periods into the period around their weighted circular mean."""
    if period is None:
        return values
    phase = np.where(weights > 0.0, values, 0.0) * (2.0 * np.pi / period)
    centre = np.angle(np.sum(weights * np.exp(1j * phase))) * period / (2.0 * np.pi)
    return np.asarray((values - centre + 0.5 * period) % period - 0.5 * period + centre)


def _average(ensemble: Ensemble, values: np.ndarray, unit: str, level: float, rng: np.random.Generator) -> Estimate:
    """Average of values [n], which are nan where a row has none, with its interval."""
    w = np.where(np.isfinite(values), ensemble.relative_weights, 0.0)
    used = np.where(w > 0.0, values, 0.0)
    # Energies of -1e5 with a spread of 10 would lose digits in the squares: work around a typical value.
    centre = float(np.average(used, weights=w)) if w.any() else 0.0
    ratios = ratio_intervals((w * (used - centre))[:, None], w[:, None], rng, groups=ensemble.groups, level=level)
    reason = "; ".join(ensemble.reliability.reasons)
    interval = None if reason else (float(ratios.low[0]) + centre, float(ratios.high[0]) + centre)
    value, error = float(ratios.value[0]) + centre, float(ratios.error[0])
    return Estimate(value, error, interval, not reason, unit, level, reason)
