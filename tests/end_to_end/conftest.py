"""How far weighted averages are from those of molecular dynamics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.observables import parse_observable
from tbg_core.storage.shards import ShardStore


@pytest.fixture(scope="session")
def deviations() -> Callable[[Ensemble, Path], np.ndarray]:
    """Bond lengths, cos omega and mean energy: differences from a simulation in joint standard errors."""

    def score(ensemble: Ensemble, simulation: Path) -> np.ndarray:
        md = ShardStore(simulation / "frames").concatenate(["positions", "reduced_energy", "walker"])
        bonds = [parse_observable(f"distance:{i},{j}", ensemble.system) for i, j in ensemble.system.bonds]
        omega = parse_observable("omega:1", ensemble.system)
        observables = [*bonds, lambda x: np.cos(omega(x))]
        estimates = [(ensemble.expectation(f), f(md["positions"])) for f in observables]
        estimates.append((ensemble.mean_energy(unit="kT"), md["reduced_energy"]))
        scores = []
        for estimate, values in estimates:
            value, error = _walker_mean(values, md["walker"])
            scores.append((estimate.value - value) / np.hypot(estimate.error, error))
        return np.array(scores)

    return score


@pytest.fixture(scope="session")
def bound() -> Callable[[int], float]:
    """The largest deviation of so many that chance exceeds once in a hundred times (Bonferroni)."""
    return lambda count: NormalDist().inv_cdf(1 - 0.01 / (2 * count))


def _walker_mean(values: np.ndarray, walker: np.ndarray) -> tuple[float, float]:
    """Mean and standard error from independent walkers."""
    means = np.array([values[walker == w].mean() for w in np.unique(walker)])
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))
