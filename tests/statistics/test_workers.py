"""The same numbers on any number of workers and in files of any length."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.sample import draw
from tbg_core.pipeline.simulate import simulate


def shards(folder):
    found = {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}
    assert len(found) > 2
    return found


def sampled(trained, out, **settings):
    return trained.sample(out, seed=3, sampling={"num_samples": 61, "block_size": 16, **settings})


def test_any_number_of_workers_gives_the_same_files(trained, tmp_path):
    # Simulation and sampling share the pool: one test for both, since starting workers takes seconds.
    simulation = {"walkers": 3, "frames": 50, "block_frames": 20}
    config = trained.config(seed=3, simulation=simulation, sampling={"num_samples": 61, "block_size": 16})
    for workers in (1, 2):
        out = tmp_path / str(workers)
        simulate(config, out / "simulation", resume=False, workers=workers, progress=NullProgress())
        draw(config, trained.checkpoint, out / "run", device="cpu", workers=workers, progress=NullProgress())
    for name in ("simulation/frames", "run/ensemble"):
        assert shards(tmp_path / "1" / name) == shards(tmp_path / "2" / name)


def test_blocks_per_file_change_no_number(trained, tmp_path):
    one = sampled(trained, tmp_path / "one")
    three = sampled(trained, tmp_path / "three", shard_blocks=3)
    assert len(list((tmp_path / "one" / "ensemble").glob("shard-*"))) == 4
    assert len(list((tmp_path / "three" / "ensemble").glob("shard-*"))) == 2
    for name, column in one.arrays().items():
        assert np.array_equal(column, three.arrays()[name]), name


@pytest.mark.parametrize(
    "integrator", [{"name": "dopri5"}, {"name": "rk4", "steps": 20}], ids=lambda integrator: integrator["name"]
)
def test_the_size_of_blocks_changes_rounding_only(trained, tmp_path, integrator):
    ensembles = [
        trained.sample(
            tmp_path / str(size), seed=4, integrator=integrator, sampling={"num_samples": 64, "block_size": size}
        )
        for size in (32, 7)
    ]
    first, second = ensembles
    np.testing.assert_allclose(second.positions, first.positions, rtol=0, atol=1e-5)
    np.testing.assert_allclose(second.log_q, first.log_q, rtol=0, atol=1e-5)
    assert np.array_equal(first.status, second.status)
    assert abs(first.log_z.value - second.log_z.value) < 1e-4


def test_more_samples_begin_with_the_same_ones(trained, tmp_path):
    few = sampled(trained, tmp_path / "few")
    many = sampled(trained, tmp_path / "many", num_samples=80)
    assert np.array_equal(many.log_q[:61], few.log_q)
    assert np.array_equal(many.positions[:61], few.positions)


def test_another_seed_gives_other_samples(trained, tmp_path):
    first = trained.sample(tmp_path / "3", seed=3, sampling={"num_samples": 16, "block_size": 16})
    second = trained.sample(tmp_path / "4", seed=4, sampling={"num_samples": 16, "block_size": 16})
    assert not np.isclose(first.log_q, second.log_q).any()
    assert isinstance(first, Ensemble)
