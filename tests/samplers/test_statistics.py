"""Distributions that the samplers give, on targets whose Z is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from tbg_core.ensemble import Ensemble
from tbg_core.randomness import generator
from tbg_core.samplers.config import IndependenceMetropolisConfig, SMCConfig
from tbg_core.samplers.independence import IndependenceMetropolis
from tbg_core.samplers.smc import SequentialMonteCarlo

RUNS, SIZE = 50, 16


def z_of(blocks, target):
    """Z of each population over the exact one."""
    return np.exp([b.log_z.value - target.reference_values["log_z"] for b in blocks])


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("which", "resample", "moves"),
    [("mixture", 1.0, 1), ("mixture", 0.0, 1), ("mixture", 1.0, 0), ("well", 0.5, 1), ("well", 1.0, 1)],
)
def test_the_mean_of_z_over_fifty_runs_is_the_exact_one(which, resample, moves, request, proposal, blocks):
    """Unbiased also for small populations: 4 standard errors of 50 runs of 16 particles; false alarms 1 in 5,000."""
    target = request.getfixturevalue(which)
    config = SMCConfig(steps=4, leapfrog_steps=2, moves_per_step=moves, resample_below=resample, pilot_size=64)
    z = z_of(blocks(SequentialMonteCarlo(config), proposal, target, RUNS, SIZE), target)
    error = z.std(ddof=1) / np.sqrt(RUNS)
    assert error < 0.2
    assert abs(z.mean() - 1.0) < 4.0 * error


@pytest.mark.statistical
def test_a_target_that_fails_somewhere_is_the_rest_of_it(mixture, proposal, blocks):
    """With nan right of 0.3 Z is that of the left: 0.3 of it, and 0.7 P(N(1.5, 0.5) < 0.3). 4 standard errors."""

    class Broken:
        def __init__(self, target):
            self.__dict__["target"] = target

        def __getattr__(self, name):
            return getattr(self.target, name)

        def _marked(self, x, u):
            return torch.where(x[:, 0] > 0.3, torch.nan, u)

        def reduced_energy(self, x):
            return self._marked(x, self.target.reduced_energy(x))

        def energy_and_grad(self, x):
            u, slope = self.target.energy_and_grad(x)
            return self._marked(x, u), slope

    share = 0.3 + 0.7 * 0.0081975  # the left Gaussian reaches 0.3 at 4.5 widths
    config = SMCConfig(steps=3, leapfrog_steps=2, pilot_size=64, resample_below=1.0)
    for sampler in (
        SequentialMonteCarlo(config),
        IndependenceMetropolis(IndependenceMetropolisConfig(sweeps=2, leapfrog_steps=2, pilot_size=64)),
    ):
        parts = blocks(sampler, proposal, Broken(mixture), RUNS, SIZE)
        z = z_of(parts, mixture)
        assert abs(z.mean() - share) < 4.0 * z.std(ddof=1) / np.sqrt(RUNS)
        assert all((p.positions[p.valid][:, 0] <= 0.3).all() for p in parts)
        assert all(np.isfinite(p.reduced_energy[p.valid]).all() for p in parts)
        assert sum(p.provenance["sampler"]["invalid_draws"] for p in parts) > 0


@pytest.mark.statistical
def test_smc_and_annealing_have_the_exact_averages(well, proposal, blocks):
    """4 standard errors of each; the error of SMC is that between populations."""
    exact = well.reference_values
    for resample in (0.5, 0.0):
        config = SMCConfig(steps=6, leapfrog_steps=3, resample_below=resample)
        ensemble = Ensemble.concatenate(blocks(SequentialMonteCarlo(config), proposal, well, 16, 64))
        estimates = {
            "log_z": ensemble.log_z,
            "mean_energy": ensemble.mean_energy(unit="kT"),
            "mean_x0": ensemble.expectation(lambda x: x[:, 0].astype(np.float64)),
        }
        for name, estimate in estimates.items():
            assert abs(estimate.value - exact[name]) < 4.0 * estimate.error < 0.8, (resample, name, estimate)


@pytest.mark.statistical
@pytest.mark.parametrize("moves", [0, 2])
def test_chains_have_the_target_as_their_distribution(mixture, proposal, blocks, moves):
    """x_0 of thinned chains against exact samples' distribution: Kolmogorov-Smirnov and chi^2 at 1e-4.

    The pool is large, so that the weights of blocks, which make averages exact, differ by a few per cent only.
    """
    config = IndependenceMetropolisConfig(sweeps=16, moves_per_sweep=moves, leapfrog_steps=3)
    parts = blocks(IndependenceMetropolis(config), proposal, mixture, 3, 2048)
    assert np.std(z_of(parts, mixture)) < 0.1
    thinned = np.concatenate([p.positions.reshape(-1, 16, 2)[:, 15] for p in parts]).astype(np.float64)
    exact = mixture.draw(generator(0, "exact"), 200_000)
    assert kstest(thinned[:, 0], exact[:, 0]).pvalue > 1e-4
    edges = np.quantile(exact[:, 1], np.linspace(0, 1, 13)[1:-1])
    counts = np.bincount(np.searchsorted(edges, thinned[:, 1]), minlength=12)
    assert chisquare(counts).pvalue > 1e-4


@pytest.mark.statistical
def test_weighted_sums_of_chains_are_unbiased_from_the_first_sweep(mixture, proposal, blocks):
    """Z E[f], f = 1 where x_0 > 0 (0.7 by weight, 0.9987 and 0.0001 by Gaussian), pools of 16; 4 standard errors."""
    config = IndependenceMetropolisConfig(sweeps=2, moves_per_sweep=1, leapfrog_steps=2, pilot_size=64)
    parts = blocks(IndependenceMetropolis(config), proposal, mixture, 120, 16)
    z = z_of(parts, mixture)
    right = z * np.array([(p.positions[:, 0] > 0).mean() for p in parts])
    for values, expected in ((z, 1.0), (right, 0.7 * 0.99865 + 0.3 * 0.00009)):
        assert abs(values.mean() - expected) < 4.0 * values.std(ddof=1) / np.sqrt(len(values)) < 0.25
