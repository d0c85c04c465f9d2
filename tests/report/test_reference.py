"""Which simulations a run may be compared with."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tbg_core import api
from tbg_core.errors import StorageError
from tbg_core.report.build import build_report
from tbg_core.report.run_data import load_run
from tbg_core.storage.atomic import read_json, write_json
from tbg_core.storage.shards import ShardStore

WELL = {"system": "double-well", "energy": "double-well"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("reference")


@pytest.fixture(scope="module")
def simulation(folder):
    options = {"simulation.block_frames": 40}
    return api.simulate(**WELL, walkers=3, frames=100, seed=2, options=options, out=folder / "md")


@pytest.fixture(scope="module")
def run(folder):
    quick = {"training.steps": 20, "simulation.frames": 40}
    return api.run(**WELL, from_scratch=True, num_samples=48, options=quick, out=folder / "run").folder


@pytest.fixture(scope="module")
def others(folder):
    """Simulations of anything else."""
    few = {"walkers": 1, "frames": 20}
    return {
        "hot": api.simulate(**WELL, temperature_K=350, **few, out=folder / "hot"),
        "soft": api.simulate(**WELL, options={"energy.barrier": 5.0}, **few, out=folder / "soft"),
        "gaussian": api.simulate(system="gaussian", energy="gaussian-mixture", **few, out=folder / "gaussian"),
        "tilted": api.simulate(system="asymmetric-double-well", energy="double-well", **few, out=folder / "tilted"),
    }


def test_the_layout_of_tbg_simulate_is_read(run, simulation):
    reference = load_run(run, simulation).reference
    assert len(reference) == 300
    assert np.bincount(reference.walker).tolist() == [100, 100, 100]
    assert np.isfinite(reference.reduced_energy).all()
    # Shards alternate between walkers; the frames of one walker are in the order of time.
    store = ShardStore(simulation / "frames")
    second = np.concatenate([store.read(block * 3 + 1)["positions"] for block in range(3)])
    np.testing.assert_array_equal(reference.positions[reference.walker == 1], second)


def test_a_run_remembers_its_reference(run, simulation, folder):
    checkpoint = run / "training" / "checkpoint"
    out = api.sample(checkpoint, **WELL, num_samples=32, reference=simulation, out=folder / "compared").folder
    assert read_json(out / "provenance.json")["reference"] == str(simulation.resolve())
    assert len(load_run(out).reference) == 300
    alone = api.sample(checkpoint, **WELL, num_samples=32, out=folder / "alone").folder
    assert "reference" not in read_json(alone / "provenance.json")
    assert load_run(alone).reference is None


def test_a_run_from_scratch_is_compared_with_its_own_simulation_unless_told_otherwise(run, simulation, folder):
    assert read_json(run / "provenance.json")["reference"] == "simulation"
    assert len(load_run(run).reference) == 160
    quick = {"training.steps": 10, "simulation.frames": 20}
    asked = {"from_scratch": True, "num_samples": 16, "options": quick, "out": folder / "told"}
    told = api.run(**WELL, **asked, reference=simulation).folder
    assert len(load_run(told).reference) == 300
    api.run(out=told, resume=True)
    assert len(load_run(told).reference) == 300


def test_a_moved_run_finds_the_reference_inside_it(run, tmp_path):
    moved = shutil.copytree(run, tmp_path / "elsewhere")
    assert len(load_run(moved).reference) == 160


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hot", r"has temperature_K 350\.0, the run 300\.0"),
        ("soft", r"has barrier 5\.0, the run 10\.0"),
        ("gaussian", "is of gaussian, not of double-well"),
        ("tilted", "is of asymmetric-double-well, not of double-well"),
    ],
)
def test_another_distribution_is_refused_before_any_work(run, others, name, message, tmp_path):
    with pytest.raises(StorageError, match=message):
        api.report(run, reference=others[name])
    with pytest.raises(StorageError, match=message):
        api.sample(run / "training" / "checkpoint", **WELL, reference=others[name], out=tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_another_energy_is_refused(run, simulation, tmp_path):
    altered = shutil.copytree(simulation, tmp_path / "altered")
    made = read_json(altered / "provenance.json")
    write_json(altered / "provenance.json", {**made, "energy": "quartic"})
    with pytest.raises(StorageError, match="is of the energy quartic, not of double-well"):
        build_report(run, reference=altered)


def test_where_it_was_computed_makes_no_difference(run, simulation, tmp_path):
    altered = shutil.copytree(simulation, tmp_path / "altered")
    made = read_json(altered / "provenance.json")
    target = {**made["target"], "platform": "CUDA", "platform_properties": {}, "engine_version": "9"}
    write_json(altered / "provenance.json", {**made, "target": target})
    assert build_report(run, reference=altered).is_file()


@pytest.mark.parametrize("name", ["nowhere", "empty", "run"])
def test_what_is_no_simulation_is_refused(run, tmp_path, name):
    (tmp_path / "empty").mkdir()
    folder = run if name == "run" else tmp_path / name
    with pytest.raises(StorageError, match=r"is not a folder|holds no shards"):
        api.report(run, reference=folder)


def test_the_command_takes_it(tbg, run, simulation, others):
    done = tbg("report", run, "--reference", simulation)
    assert done.returncode == 0, done.stderr
    refused = tbg("report", run, "--reference", others["hot"])
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: the reference ")
    assert len(refused.stderr.splitlines()) == 1
