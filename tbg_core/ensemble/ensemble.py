"""The ensemble: weighted samples that cannot be misaligned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from tbg_core.ensemble import averages, files, rows, trajectories, weights
from tbg_core.ensemble import free_energy as along
from tbg_core.ensemble.metrics import metrics
from tbg_core.ensemble.pareto import pareto_k
from tbg_core.ensemble.reliability import Reliability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tbg_core.contracts.system import System
    from tbg_core.ensemble.estimate import Estimate
    from tbg_core.ensemble.free_energy import Profile, Region
    from tbg_core.ensemble.weights import WeightSummary
    from tbg_core.observables import Observable

Observe = Union[str, Callable[[np.ndarray], np.ndarray]]  # noqa: UP007 - evaluated at run time on Python 3.10 too
"""The text of an observable, e.g. ``"phi:2"``, as :func:`tbg_core.observables.parse_observable` reads it; or a function
of positions [n, *event] that gives one number per row [n]; one with attributes ``name``, ``unit`` and ``period``, as
:class:`tbg_core.observables.Observable` has, is labelled and wrapped by them."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """One row per attempted sample, invalid ones included.

    Attributes:
        system: What was sampled.
        temperature_K: Temperature of the target.
        positions: States [n, *event], float32, nm for molecules, in the system's atom order.
        log_q: Log proposal density on the canonical domain [n], float64; nan where it was not needed, for samples
            that are not valid.
        reduced_energy: u = U/kT [n], float64.
        valid: True where the sample lies in the canonical domain and every number is finite [n].
        log_q_err: Estimated absolute error of ``log_q`` [n].
        status: Why a sample is invalid [n], int64: a :class:`tbg_core.ensemble.validity.Validity`.
        base_log_weights: Log-weights of rows that were reweighted by a sampler or resampled [n], or None for
            plain importance sampling, where log w = -u - log q.
        parent: Row of the proposal draw each row descends from [n], int64, or None where each is its own.
            Rows of one parent are not independent; every error takes that into account.
        population: Row that begins the population each row was moved in, by a sampler whose particles interact [n],
            int64, or None. Populations are independent of each other and give the errors; ``parent`` counts within
            its population.
        mirrored: True where folding on the canonical domain took the mirror image of what was drawn [n], or None
            where that is not known.
        provenance: How the ensemble was made; goes to ``provenance.json``.
        folder: Run folder that the rows were read from, or None.
    """

    system: System
    temperature_K: float
    positions: np.ndarray
    log_q: np.ndarray
    reduced_energy: np.ndarray
    valid: np.ndarray
    log_q_err: np.ndarray
    status: np.ndarray
    base_log_weights: np.ndarray | None = None
    parent: np.ndarray | None = None
    population: np.ndarray | None = None
    mirrored: np.ndarray | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __post_init__(self) -> None:
        n = len(self.positions)
        for name in (
            "log_q",
            "reduced_energy",
            "valid",
            "log_q_err",
            "status",
            "base_log_weights",
            "parent",
            "population",
            "mirrored",
        ):
            column = getattr(self, name)
            if column is not None and column.shape != (n,):
                raise ValueError(f"{name} has shape {column.shape}, expected ({n},)")

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, chosen: slice) -> Ensemble:
        """Some rows as if no others had been attempted; to leave out bad rows use :meth:`filter`."""
        return rows.consecutive(self, chosen)

    # ------------------------------------------------------------------------------------------- weights

    @property
    def attempted(self) -> int:
        """Samples attempted, the denominator of every fraction."""
        return len(self)

    @cached_property
    def log_weights(self) -> np.ndarray:
        """log w = -u - log q [n], float64; -inf for invalid samples."""
        raw = -self.reduced_energy - self.log_q if self.base_log_weights is None else self.base_log_weights
        return np.where(self.valid, raw, -np.inf)

    @cached_property
    def relative_weights(self) -> np.ndarray:
        """Weights [n] divided by the largest one; zero for invalid samples."""
        return weights.relative_weights(self.log_weights)

    @property
    def groups(self) -> np.ndarray | None:
        """Label of the independent group of each row [n], or None where every row is its own."""
        return _shared(self.parent if self.population is None else self.population)

    @property
    def populations(self) -> int | None:
        """Number of independent populations, or None where rows were drawn independently."""
        return None if self.groups is None or self.population is None else len(np.unique(self.population))

    @cached_property
    def ancestors(self) -> np.ndarray | None:
        """Label of the draw that each row descends from [n], counted from 0; None where every row is its own."""
        columns = [column for column in (self.population, self.parent) if column is not None]
        if self.parent is None or not len(self):
            return None
        return _shared(np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1))

    @cached_property
    def ancestor_log_weights(self) -> np.ndarray:
        """Log-weights added up over the rows that descend from one draw; what ESS and k-hat look at."""
        if self.ancestors is None:
            return self.log_weights
        total = np.bincount(self.ancestors, weights=self.relative_weights)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(total))

    @cached_property
    def weight_summary(self) -> WeightSummary:
        """Kish ESS, largest weights, split halves."""
        return weights.summarise(self.ancestor_log_weights, self.log_weights)

    @property
    def ess(self) -> float:
        """Kish effective sample size, (sum w)^2 / sum w^2 over all attempted samples."""
        return self.weight_summary.ess

    @property
    def ess_fraction(self) -> float:
        """``ess`` over ``attempted``."""
        return self.ess / self.attempted if self.attempted else 0.0

    @cached_property
    def pareto_k(self) -> float:
        """Tail shape k-hat of the weights; above 0.7 nothing should be quoted."""
        return pareto_k(self.ancestor_log_weights)

    @cached_property
    def reliability(self) -> Reliability:
        """The verdict; of a resampled ensemble, that of the ensemble it was drawn from."""
        source = self.provenance.get("resampled_from")
        biased = bool(self.provenance.get("biased", False))
        if source is not None:
            populations = source.get("populations")
            return Reliability(source["ess"], source["pareto_k"], source["attempted"], biased, populations)
        return Reliability(self.ess, self.pareto_k, self.attempted, biased, self.populations)

    @cached_property
    def log_z(self) -> Estimate:
        """log Z of the target, from the mean weight of all attempted samples."""
        return averages.log_z(self)

    # ---------------------------------------------------------------------------------------- estimators

    def observable(self, text: str) -> Observable:
        """An observable of the system: ``ensemble.observable("phi:2").to("degree")``.

        Raises:
            ConfigError: If the system has no such observable; lists what it has.
        """
        from tbg_core.observables import parse_observable

        return parse_observable(text, self.system)

    def evaluate(self, observable: Observe) -> np.ndarray:
        """An observable of every row [n], float64; nan for invalid samples, where it is not evaluated."""
        function = self.observable(observable) if isinstance(observable, str) else observable
        values = np.full(len(self), np.nan)
        if self.valid.any():
            values[self.valid] = np.asarray(function(self.positions[self.valid]), dtype=np.float64)
        return values

    def expectation(self, observable: Observe, *, unit: str = "", level: float = 0.9, seed: int = 0) -> Estimate:
        """Boltzmann average of an observable; see :func:`tbg_core.ensemble.averages.expectation`."""
        return averages.expectation(self, observable, unit=unit, level=level, seed=seed)

    def mean_energy(self, *, unit: str = "kJ/mol", level: float = 0.9, seed: int = 0) -> Estimate:
        """Boltzmann average of the potential energy; see :func:`tbg_core.ensemble.averages.mean_energy`."""
        return averages.mean_energy(self, unit=unit, level=level, seed=seed)

    def free_energy(
        self,
        observable: Observe,
        region_a: Region,
        region_b: Region,
        *,
        unit: str = "kT",
        level: float = 0.9,
        seed: int = 0,
    ) -> Estimate:
        """F(B) - F(A) between two intervals; see :func:`tbg_core.ensemble.free_energy.difference`."""
        return along.difference(self, observable, region_a, region_b, unit=unit, level=level, seed=seed)

    def profile(
        self,
        observable: Observe,
        *,
        bins: int | np.ndarray = along.DEFAULT_BINS,
        unit: str = "kT",
        level: float = 0.9,
        seed: int = 0,
    ) -> Profile:
        """Free energy along an observable; see :func:`tbg_core.ensemble.free_energy.profile`."""
        return along.profile(self, observable, bins=bins, unit=unit, level=level, seed=seed)

    # --------------------------------------------------------------------------------------- other rows

    def with_energy(self, reduced_energy: np.ndarray, temperature_K: float) -> Ensemble:
        """The same draws weighted for another target.

        Rows with a non-finite energy become invalid; rows that only the former energy had made invalid count
        again where the new one is finite.

        Args:
            reduced_energy: u of the new target [n].
            temperature_K: Its temperature.
        """
        return rows.for_target(self, reduced_energy, temperature_K)

    def filter(self, keep: np.ndarray, reason: str) -> Ensemble:
        """Takes rows out of every average, but not out of the count of attempted samples.

        Averages become those of the target restricted to what is kept, and log Z that of the restriction.

        Args:
            keep: True for the rows to keep [n].
            reason: Why; recorded in the provenance.
        """
        return rows.filtered(self, keep, reason)

    def resample(self, seed: int, n: int | None = None) -> Ensemble:
        """Draws rows by weight (systematic resampling), which then all have the same weight.

        The weights of the result say nothing about quality any more: its verdict and log Z are those from
        before, and its intervals count the descendants of one draw as one.

        Args:
            seed: Seed of the draw.
            n: Number of rows; the effective sample size by default.

        Raises:
            ValueError: If there is no valid sample or ``n`` is below 1.
        """
        return rows.resampled(self, seed, n)

    # ------------------------------------------------------------------------------------- out of memory

    def metrics(
        self,
        *,
        model: str | None = None,
        energy: str | None = None,
        energy_evaluations: int | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """Content of ``metrics.json``; see :func:`tbg_core.ensemble.metrics.metrics`."""
        return metrics(self, model=model, energy=energy, energy_evaluations=energy_evaluations, seconds=seconds)

    def to_mdtraj(self) -> Any:
        """An ``mdtraj.Trajectory`` of all rows; resample first for one that needs no weights."""
        return trajectories.to_mdtraj(self)

    def to_mdanalysis(self) -> Any:
        """An ``MDAnalysis.Universe`` of all rows; resample first for one that needs no weights."""
        return trajectories.to_mdanalysis(self)

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns, one row per attempted sample: what a shard holds."""
        return files.to_arrays(self)

    @staticmethod
    def record(folder: Path, system: System) -> None:
        """Writes ``system.json`` beside shards that were written one by one."""
        files.record(folder, system)

    def save(self, folder: Path) -> None:
        """Writes ``ensemble/``, ``system.json`` and ``provenance.json`` into a folder."""
        files.save(self, folder)

    @classmethod
    def load(cls, folder: Path, system: System | None = None) -> Ensemble:
        """Reads a run folder; see :func:`tbg_core.ensemble.files.load`."""
        return files.load(folder, system)

    @classmethod
    def concatenate(cls, parts: Sequence[Ensemble]) -> Ensemble:
        """Joins blocks of one run; parents are rows of their own block and are shifted accordingly."""
        return rows.joined(parts)


def _shared(labels: np.ndarray | None) -> np.ndarray | None:
    """The labels, or None where there are none or no two rows share one."""
    return None if labels is None or len(np.unique(labels)) == len(labels) else labels
