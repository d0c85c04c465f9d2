"""What an ensemble says about some observables: averages, free-energy differences, profiles, in chosen units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.ensemble.averages import unwrapped
from tbg_core.ensemble.bootstrap import LEVEL
from tbg_core.ensemble.free_energy import DEFAULT_BINS
from tbg_core.ensemble.metrics import finite
from tbg_core.errors import ConfigError
from tbg_core.units import Units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.ensemble.ensemble import Ensemble
    from tbg_core.ensemble.estimate import Estimate
    from tbg_core.ensemble.free_energy import Profile, Region
    from tbg_core.observables import Observable


@dataclass(frozen=True)
class Average:
    """The Boltzmann average of an observable.

    Attributes:
        observable: Its name.
        estimate: Value, error, interval.
        spread: Standard deviation of the observable in the ensemble, in the unit of ``estimate``; of an angle, about
            its circular mean. It says how wide the distribution is, not how well its mean is known.
        model_error: Error beside the sampling error, e.g. of a Karplus curve; in no interval.
        source: Where the parameters of the observable come from.
        note: What to beware of, or empty.
    """

    observable: str
    estimate: Estimate
    spread: float
    model_error: float = 0.0
    source: str = ""
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """Free energy of a region less that of another."""

    observable: str
    unit: str
    region_a: Region
    region_b: Region
    estimate: Estimate


@dataclass(frozen=True)
class Analysis:
    """Estimates from one ensemble.

    Attributes:
        ensemble: Where they come from.
        units: The units of energies, angles and lengths.
        mean_energy: Average of the potential energy.
        averages: One for each observable.
        differences: Free energies between regions, where they were asked for.
        profiles: Free energies along the observables, where they were asked for.
    """

    ensemble: Ensemble
    units: Units
    mean_energy: Estimate
    averages: tuple[Average, ...] = ()
    differences: tuple[Difference, ...] = ()
    profiles: tuple[Profile, ...] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; what is not finite is None."""
        e = self.ensemble
        found: dict[str, Any] = {
            "system": e.system.name,
            "temperature_K": e.temperature_K,
            "attempted": e.attempted,
            "valid": int(e.valid.sum()),
            "ess": e.ess,
            "pareto_k": e.pareto_k,
            "reliable": e.reliability.reliable,
            "verdict": e.reliability.describe(),
            "log_z": _estimate(e.log_z),
            "mean_energy": _estimate(self.mean_energy),
            "averages": [
                {
                    "observable": a.observable,
                    **_estimate(a.estimate),
                    "spread": a.spread,
                    "model_error": a.model_error,
                    "source": a.source,
                    "note": a.note,
                }
                for a in self.averages
            ],
            "differences": [
                {
                    "observable": d.observable,
                    "observable_unit": d.unit,
                    "from": list(d.region_a),
                    "to": list(d.region_b),
                    **_estimate(d.estimate),
                }
                for d in self.differences
            ],
            "profiles": [_profile(p) for p in self.profiles],
        }
        cleaned: dict[str, Any] = finite(found)
        return cleaned


def analyse(
    ensemble: Ensemble,
    observables: Sequence[Observable] | None = None,
    *,
    regions: tuple[Region, Region] | None = None,
    profile: bool = False,
    bins: int = DEFAULT_BINS,
    units: Units = Units(),  # noqa: B008 - immutable
    level: float = LEVEL,
    seed: int = 0,
) -> Analysis:
    """Estimates averages, and free energies where they are asked for.

    Args:
        ensemble: Weighted samples.
        observables: What to average; the defaults of the system if None.
        regions: Two intervals, in the unit shown, between which the free energy of the one observable is taken.
        profile: Free energy along each observable as well.
        bins: Bins of a profile.
        units: Units of the results.
        level: Nominal coverage of intervals.
        seed: Seed of the bootstrap.

    Raises:
        ConfigError: If an observable cannot be evaluated, or there are regions and not just one observable.
    """
    if observables is None:
        from tbg_core.observables import default_observables

        observables = default_observables(ensemble.system)
    if regions is not None and len(observables) != 1:
        raise ConfigError(
            f"a free-energy difference is taken along one observable, not {len(observables)}.",
            fix="Name it with one --observable.",
        )
    shown = [o.to(units.of(o.unit)) for o in observables]
    return Analysis(
        ensemble=ensemble,
        units=units,
        mean_energy=ensemble.mean_energy(unit=units.energy, level=level, seed=seed),
        averages=tuple(_average(ensemble, o, level, seed) for o in shown),
        differences=tuple(
            Difference(
                o.name,
                o.unit,
                *regions,
                ensemble.free_energy(o, *regions, unit=units.energy, level=level, seed=seed),
            )
            for o in shown
            if regions is not None
        ),
        profiles=tuple(
            ensemble.profile(o, bins=bins, unit=units.energy, level=level, seed=seed) for o in shown if profile
        ),
    )


def _average(ensemble: Ensemble, observable: Observable, level: float, seed: int) -> Average:
    estimate = ensemble.expectation(observable, level=level, seed=seed)
    values = ensemble.evaluate(observable)
    used = np.isfinite(values) & (ensemble.relative_weights > 0.0)
    w, v = ensemble.relative_weights[used], values[used]
    if not len(v):
        return Average(observable.name, estimate, math.nan, observable.model_error, observable.source)
    around = unwrapped(v, w, observable.period)
    mean = np.average(around, weights=w)
    spread = float(np.sqrt(np.average((around - mean) ** 2, weights=w)))
    note = ""
    if observable.period is not None:
        # Length of the mean of exp(i angle): 1 if all angles are equal, 0 if they are spread over the circle.
        length = abs(np.average(np.exp(2j * np.pi * v / observable.period), weights=w))
        if length < 0.5:
            note = "spread over the circle: its mean says little, see --profile"
    return Average(observable.name, estimate, spread, observable.model_error, observable.source, note)


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": estimate.value,
        "error": estimate.error,
        "interval": None if estimate.interval is None else list(estimate.interval),
        "level": estimate.level,
        "unit": estimate.unit,
        "reliable": estimate.reliable,
        "reason": estimate.reason,
    }


def _profile(profile: Profile) -> dict[str, Any]:
    columns = {name: getattr(profile, name).tolist() for name in ("edges", "free_energy", "error", "low", "high")}
    return {
        "observable": profile.name,
        "observable_unit": profile.unit,
        "period": profile.period,
        "unit": profile.energy_unit,
        "level": profile.level,
        "reliable": profile.reliable,
        **columns,
    }
