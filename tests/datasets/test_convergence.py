"""Diagnostics of simulations against distributions that are known."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.datasets.convergence import _populations, compared, convergence, energy_ratio
from tbg_core.datasets.packing import spread_rows
from tbg_core.ensemble import Ensemble
from tbg_core.loading import load_system
from tbg_core.metrics.basins import basin_of, basin_torsions
from tbg_core.units import thermal_energy


@pytest.mark.statistical
def test_the_energy_ratio_of_boltzmann_distributions_is_one():
    """Energies of f quadratic degrees of freedom are Gamma(f/2) distributed; 5 sigma (false alarms: 6e-7 each)."""
    random = np.random.default_rng(0)
    degrees = 60
    low_K, high_K = 310.0, 365.0
    low, high = (random.gamma(degrees / 2, thermal_energy(T), 4000) for T in (low_K, high_K))
    slope, error = energy_ratio(low, high, low_K, high_K)
    assert error < 0.05
    assert abs(slope - 1.0) < 5 * error
    # A thermostat that is 3 % too hot at the higher temperature shows.
    wrong = energy_ratio(low, random.gamma(degrees / 2, thermal_energy(1.03 * high_K), 4000), low_K, high_K)
    assert abs(wrong[0] - 1.0) > 3 * wrong[1]


def test_populations_of_trans_have_the_error_of_the_trans_samples_alone():
    """A hundred trans frames of even weights, half of them mirror images, beside a cis one with 99 % of the weight."""
    peptide, turned = load_system("AG"), load_system({"name": "peptide", "sequence": "AG", "cis": [2]})
    trans, cis = (np.asarray(s.reference)[None] for s in (peptide, turned))
    x = np.concatenate([np.repeat(trans, 50, axis=0), np.repeat(-trans, 50, axis=0), cis])
    zeros, log_w = np.zeros(101), np.append(np.zeros(100), np.log(9900.0))
    ensemble = Ensemble(peptide, 310.0, x, zeros, -log_w, zeros == 0, zeros, zeros.astype(np.int64))
    assert ensemble.ess < 1.1
    populations = {}
    for name, (angle, edges) in basin_torsions(peptide, x[:100]).items():
        share = np.bincount(basin_of(angle, edges), minlength=len(edges)) / 100
        first, last = np.flatnonzero(share)[[0, -1]]
        share[first] += 0.1
        share[last] -= 0.1
        populations[name] = {"share": share, "error": np.zeros(len(edges))}
    found = compared(ensemble, populations)
    assert found["cis"] == pytest.approx(0.99)
    assert found["difference"] == pytest.approx(0.1)
    assert found["standard_errors"] == pytest.approx(0.1 / np.sqrt(0.25 / 100))


def test_populations_and_their_halves():
    basin = np.array([0, 0, 1, 1, 0, 1, 1, 1])
    walkers = [np.arange(2 * i, 2 * i + 2) for i in range(4)]  # shares of basin 0: 1, 0, 1/2, 0
    found = _populations(basin, 2, walkers)
    assert found["drift"] == pytest.approx(0.25)  # basin 0 in the first frames: 1, 0, 1, 0; in the second: 1, 0, 0, 0
    assert found["share"] == [0.375, 0.625]
    assert found["split_half"] == pytest.approx(0.75)
    assert found["error"][0] == pytest.approx(np.std([1, 0, 0.5, 0], ddof=1) / 2, abs=1e-4)


@pytest.mark.parametrize(("count", "expected"), [(4, [3, 7, 11, 15]), (16, list(range(16))), (8, range(1, 16, 2))])
def test_rows_are_spread_over_walkers(count, expected):
    walker = np.repeat(np.arange(4), 4)
    assert spread_rows(walker, count).tolist() == list(expected)
    mixed = np.tile(np.arange(4), 4)  # blocks of walkers, one after the other
    rows = spread_rows(mixed, count)
    assert len(set(rows.tolist())) == count
    assert np.bincount(mixed[rows]).tolist() == [count // 4] * 4
    assert spread_rows(walker, 8, skip=1).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]


def test_a_simulation_without_exchanges_has_no_round_trips(toy_simulation):
    found = convergence(toy_simulation)
    assert found["walkers"] == 3
    assert found["frames"] == 60
    assert "round_trips" not in found
    # The toy's frames are independent.
    assert 20 <= found["effective_frames"] <= 60
    assert found["core_seconds"] >= 0
