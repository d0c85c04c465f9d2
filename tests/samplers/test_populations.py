"""Populations are the unit of independence, in memory and on disk."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.metrics import population_log_z
from tbg_core.samplers.config import IndependenceMetropolisConfig, SMCConfig
from tbg_core.samplers.independence import IndependenceMetropolis
from tbg_core.samplers.smc import SequentialMonteCarlo
from tbg_core.storage.shards import ShardStore

SMC = SMCConfig(steps=4, leapfrog_steps=2, pilot_size=64, resample_below=1.0)


@pytest.fixture
def populations(blocks, proposal, mixture):
    return blocks(SequentialMonteCarlo(SMC), proposal, mixture, 12, 64)


def test_labels_survive_joining_and_shards(populations, tmp_path):
    whole = Ensemble.concatenate(populations)
    Ensemble.record(tmp_path, whole.system)
    store = ShardStore(tmp_path / "ensemble")
    for i in range(0, 12, 3):
        store.write(i // 3, Ensemble.concatenate(populations[i : i + 3]).arrays())
    loaded = Ensemble.load(tmp_path)
    for ensemble in (whole, loaded):
        assert ensemble.populations == 12
        assert np.array_equal(ensemble.population, np.repeat(np.arange(12) * 64, 64))
        assert len(ensemble.ancestor_log_weights) == sum(len(np.unique(p.parent)) for p in populations)
    assert np.array_equal(whole.parent, loaded.parent)
    np.testing.assert_allclose(population_log_z(loaded), [p.log_z.value for p in populations], atol=1e-12)


def test_errors_are_the_spread_between_populations(populations):
    whole = Ensemble.concatenate(populations)
    z = np.exp([p.log_z.value for p in populations])
    expected = z.std() / np.sqrt(len(z)) / z.mean()
    assert abs(whole.log_z.error - expected) < 1e-9
    content = whole.metrics()
    assert content["populations"] == 12
    assert content["unique_ancestors"] <= 12 * 64
    halves = [np.log(np.mean(half)) for half in (z[:6], z[6:])]
    np.testing.assert_allclose(content["split_half_log_z"], halves, atol=1e-9)


def test_too_few_populations_have_no_interval(populations):
    few, one = Ensemble.concatenate(populations[:9]), populations[0]
    assert not few.reliability.reliable
    assert "9 populations" in few.reliability.describe()
    assert few.log_z.interval is None
    assert np.isnan(one.log_z.error)
    assert np.isnan(one.expectation(lambda x: x[:, 0].astype(float)).error)
    assert one.metrics()["log_z_err"] is None
    assert few.resample(0).reliability.populations == 9
    assert few.resample(0).reliability.reasons == few.reliability.reasons


def test_the_last_population_may_be_cut(populations):
    cut = Ensemble.concatenate([*populations[:-1], populations[-1][:10]])
    assert len(cut) == 11 * 64 + 10
    assert cut.populations == 12


def test_without_resampling_particles_are_independent(blocks, proposal, mixture):
    config = SMC.model_copy(update={"resample_below": 0.0})
    ensemble = Ensemble.concatenate(blocks(SequentialMonteCarlo(config), proposal, mixture, 2, 64))
    assert ensemble.populations is None
    assert ensemble.groups is None
    assert ensemble.reliability.populations is None


def test_a_chain_counts_the_draws_that_it_jumped_to(blocks, proposal, mixture):
    config = IndependenceMetropolisConfig(sweeps=8, moves_per_sweep=0, pilot_size=64)
    (ensemble,) = blocks(IndependenceMetropolis(config), proposal, mixture, 1, 64)
    chains = ensemble.parent.reshape(8, 8)
    jumps = chains[:, 1:] != chains[:, :-1]
    stays = np.abs(np.diff(ensemble.positions.reshape(8, 8, 2), axis=1)).max(axis=2) == 0
    assert np.array_equal(jumps, ~stays), "without moves a chain stays where it does not jump"
    first = chains[:, 0] >= 64
    assert abs(ensemble.provenance["sampler"]["jump_acceptance"] - (jumps.sum() + first.sum()) / 64) < 1e-12
    assert np.ptp(ensemble.log_weights) == 0


def test_options_of_a_pilot_that_was_restored_are_used(blocks, proposal, mixture):
    sampler, other = SequentialMonteCarlo(SMC), SequentialMonteCarlo(SMC)
    settings = sampler.prepare(proposal, mixture, 1, "test")
    (lazy,) = blocks(sampler, proposal, mixture, 1, 64, prepared=False)
    other.restore(settings)
    (restored,) = blocks(other, proposal, mixture, 1, 64, prepared=False)
    assert np.array_equal(lazy.positions, restored.positions)
    other.restore({**settings, "step": [0.01 * step for step in settings["step"]]})
    (slow,) = blocks(other, proposal, mixture, 1, 64, prepared=False)
    assert slow.provenance["sampler"]["acceptance"] > 0.99
