"""Figures over the runs of a system, and over the systems of a split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.metrics.yardstick import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Entry = "Mapping[str, Any]"
"""What ``measured.json`` of a system holds."""


@dataclass(frozen=True)
class Measure:
    """A figure of a run.

    Attributes:
        key: Its name in ``measured.json``.
        label: For people.
        unit: Of it; ``"%"`` for fractions, shown as such.
        variant: Which samples, for distances; empty for what is one of the weights.
        better: ``"high"`` or ``"low"``.
    """

    key: str
    label: str
    unit: str
    variant: str = ""
    better: str = "low"

    def of(self, run: Mapping[str, Any]) -> float:
        """The figure of one run; nan where there is none, infinite where a basin was never visited."""
        found = run["distances"].get(self.variant, {}) if self.variant else run
        value = found.get(self.key)
        return math.nan if value is None else float(value)

    @property
    def factor(self) -> float:
        """What to multiply figures with for display."""
        return 100.0 if self.unit == "%" else 1.0


DISTANCES: Final[Mapping[str, tuple[str, str]]] = {
    "e_w2": ("E-W2", "kT"),
    "t_w2": ("T-W2", "rad"),
    "tica_w2": ("TICA-W2", ""),
    "jsd": ("JSD", "nat"),
    "phi": ("phi error", "kT"),
}
"""Key -> label and unit."""

ESS: Final = Measure("ess", "ESS", "%", better="high")
ESS_TRIMMED: Final = Measure("ess_trimmed", "ESS, top 0.2 % removed", "%", better="high")
VALID: Final = Measure("valid", "valid", "%", better="high")
SECONDS: Final = Measure("seconds", "seconds", "s")
EVALUATIONS: Final = Measure("energy_evaluations", "energy evaluations", "")


def distance(key: str, variant: str) -> Measure:
    """A distance of one kind of samples."""
    label, unit = DISTANCES[key]
    return Measure(key, label, unit, variant)


MEASURES: Final = (
    ESS,
    ESS_TRIMMED,
    VALID,
    *(distance(key, variant) for key in DISTANCES for variant in VARIANTS),
    SECONDS,
    EVALUATIONS,
)


@dataclass(frozen=True)
class Over:
    """A figure over runs or systems.

    Attributes:
        mean: Mean over the systems of the mean over their runs.
        spread: Standard deviation over the systems.
        seeds: Standard deviation, over the seeds, of the mean over the systems; nan with one seed.
        median: Over the systems.
        worst: Of all systems, and the name of it.
        worst_system: See ``worst``.
        systems: How many have the figure.
        infinite: How many systems were left out because a basin was never visited.
    """

    mean: float
    spread: float
    seeds: float
    median: float
    worst: float
    worst_system: str
    systems: int
    infinite: int = 0


def over_runs(entry: Mapping[str, Any], measure: Measure) -> tuple[float, float]:
    """Mean and standard deviation over the runs of a system; the latter is nan for one run."""
    values = np.array([measure.of(run) for run in entry["runs"]])
    if not np.isfinite(values).all():
        return (math.inf if np.isinf(values).any() else math.nan), math.nan
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan


def over_systems(entries: Sequence[Mapping[str, Any]], measure: Measure) -> Over | None:
    """A figure over the systems; None where none of them has it."""
    means = {entry["system"]: over_runs(entry, measure)[0] for entry in entries}
    finite = {name: value for name, value in means.items() if math.isfinite(value)}
    if not finite:
        return None
    values = np.array(list(finite.values()))
    worst = min(finite, key=finite.__getitem__) if measure.better == "high" else max(finite, key=finite.__getitem__)
    by_seed = zip(*([measure.of(run) for run in e["runs"]] for e in entries if e["system"] in finite), strict=True)
    of_seeds = np.array([np.mean(column) for column in by_seed])
    return Over(
        mean=float(values.mean()),
        spread=float(values.std(ddof=1)) if len(values) > 1 else math.nan,
        seeds=float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else math.nan,
        median=float(np.median(values)),
        worst=finite[worst],
        worst_system=worst,
        systems=len(finite),
        infinite=sum(math.isinf(value) for value in means.values()),
    )


def floor(entries: Sequence[Mapping[str, Any]], key: str) -> tuple[float, float]:
    """A distance between halves of the references: mean over the systems, and their standard deviation."""
    values = [e["reference"]["floor"][key][0] for e in entries if e["reference"] and key in e["reference"]["floor"]]
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return math.nan, math.nan
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def dropped(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Why samples were not valid: shares of all that were attempted, largest first."""
    attempted = sum(run["attempted"] for entry in entries for run in entry["runs"])
    counts: dict[str, int] = {}
    for run in (run for entry in entries for run in entry["runs"]):
        for reason, count in run["dropped_by_reason"].items():
            counts[reason] = counts.get(reason, 0) + count
    return {reason: count / attempted for reason, count in sorted(counts.items(), key=lambda item: -item[1])}
