"""The verbs from Python, on a double well whose averages are known."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tbg_core
from tbg_core import api
from tbg_core.config.load import load_config
from tbg_core.config.request import recorded
from tbg_core.errors import ConfigError, StorageError, TbgError
from tbg_core.storage.shards import ShardStore

WELL = {"system": "double-well", "energy": "double-well", "temperature_K": 300.0}


class Recorder:
    """Keeps what a job reports."""

    def __init__(self):
        self.said, self.stages, self.done = [], [], 0

    def say(self, text):
        self.said.append(text)

    def stage(self, name, *, total=None, unit=""):
        self.stages.append(name)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance(self, n=1, *, note=""):
        self.done += n


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def data(folder):
    return api.simulate(**WELL, walkers=2, frames=150, out=folder / "data", options={"simulation.block_frames": 60})


@pytest.fixture(scope="module")
def checkpoint(folder, data):
    return api.train(
        data,
        model={"name": "mlp", "width": 24},
        steps=60,
        seed=3,
        out=folder / "trained",
        options={"training": {"batch_size": 32, "warmup_steps": 5}, "objective.sigma": 0.02},
    )


@pytest.fixture(scope="module")
def ensemble(folder, checkpoint):
    return api.sample(str(checkpoint), **WELL, num_samples=96, seed=5, out=str(folder / "sampled"))


def test_the_package_gives_the_verbs(ensemble):
    assert tbg_core.run is api.run
    assert tbg_core.build_report is api.report
    assert {"run", "simulate", "train", "sample", "reweight", "build_report", "load_target"} <= set(dir(tbg_core))


def test_the_verbs_are_imported_without_torch():
    probe = "import sys, tbg_core; tbg_core.run, tbg_core.train; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_simulate_returns_the_folder_with_the_frames(data):
    store = ShardStore(data / "frames")
    assert len(store.concatenate(["positions"])["positions"]) == 300
    assert len(store.indices) == 6  # blocks of 60, 60 and 30 frames of two walkers


def test_train_returns_the_checkpoint_of_what_was_asked_for(checkpoint, folder):
    model = recorded(checkpoint, "model")
    assert model["field"]["name"] == "mlp"
    assert model["field"]["width"] == 24
    assert model["prior"]["name"] == "gaussian"  # the default of a system on R^d
    assert recorded(folder / "trained", "training")["batch_size"] == 32
    assert recorded(folder / "trained", "objective")["sigma"] == 0.02


def test_training_follows_its_data_and_can_go_on_from_a_checkpoint(data, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"training": {"batch_size": 8}}
    assert api.train(data, steps=2, options=options) == Path("trained/mlp-seed0/checkpoint")
    with pytest.raises(ConfigError, match="field 'egnn' is for molecules, and the system double-well"):
        api.train(data, model="egnn", out="never")
    tuned = api.train(data, steps=1, checkpoint=checkpoint, options={"training.learning_rate": 1e-9}, out="tuned")
    assert recorded(tuned, "model")["field"]["width"] == 24
    before, after = (load_file(folder / "model.safetensors") for folder in (checkpoint, tuned))
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0)


def test_sample_returns_the_ensemble_of_its_folder(ensemble, folder):
    assert ensemble.folder == folder / "sampled"
    assert ensemble.attempted == 96
    assert (ensemble.folder / "report.html").is_file()
    stored = tbg_core.Ensemble.load(folder / "sampled")
    np.testing.assert_array_equal(stored.log_q, ensemble.log_q)
    target = tbg_core.load_target("double-well", "double-well", 300.0)
    u = target.reduced_energy(torch.from_numpy(ensemble.positions).double()).numpy()
    np.testing.assert_allclose(ensemble.reduced_energy[ensemble.valid], u[ensemble.valid], rtol=1e-9)


def test_a_config_may_be_a_file_a_mapping_or_a_configuration(ensemble, checkpoint, folder, tmp_path):
    again = {"config": {**WELL, "seed": 5, "sampling": {"num_samples": 96}}}
    path = tmp_path / "c.yaml"
    path.write_text(
        "system: double-well\nenergy: double-well\ntemperature_K: 300\nseed: 5\nsampling: {num_samples: 96}\n"
    )
    for i, config in enumerate((again["config"], path, str(path), load_config(path))):
        same = api.sample(checkpoint, config=config, out=tmp_path / str(i))
        np.testing.assert_array_equal(same.log_q, ensemble.log_q)


def test_options_reach_the_part_they_name_and_leave_the_callers_mapping_alone(checkpoint, tmp_path):
    integrator = {"name": "rk4"}
    options = {"integrator.steps": 7, "sampling.block_size": 5}
    api.sample(checkpoint, **WELL, integrator=integrator, options=options, num_samples=6, out=tmp_path / "r")
    assert recorded(tmp_path / "r", "integrator") == {"name": "rk4", "steps": 7}
    assert integrator == {"name": "rk4"}
    as_typed = api.sample(
        checkpoint,
        **WELL,
        integrator="rk4",
        options=["integrator.steps=7", "sampling.block_size=5"],
        num_samples=6,
        out=tmp_path / "s",
    )
    np.testing.assert_array_equal(as_typed.log_q, tbg_core.Ensemble.load(tmp_path / "r").log_q)


def test_reweight_keeps_the_draws(ensemble, tmp_path):
    hot = api.reweight(ensemble.folder, temperature_K=450, out=tmp_path / "hot")
    assert hot.temperature_K == 450
    np.testing.assert_array_equal(hot.positions, ensemble.positions)
    np.testing.assert_allclose(hot.reduced_energy, ensemble.reduced_energy * 300 / 450, rtol=1e-9)
    with pytest.raises(ConfigError, match="nothing would change"):
        api.reweight(ensemble.folder, out=tmp_path / "same")
    with pytest.raises(ConfigError, match="seed cannot be changed by reweighting"):
        api.reweight(ensemble.folder, options={"seed": 2}, out=tmp_path / "other")


def test_run_from_scratch_reports_progress_and_resumes(tmp_path):
    seen = Recorder()
    asked = {**WELL, "from_scratch": True, "num_samples": 40, "seed": 1, "out": tmp_path / "run"}
    quick = {"training.steps": 20, "simulation.frames": 40, "model": {"name": "mlp", "width": 8}}
    first = api.run(**asked, options=quick, progress=seen)
    assert seen.stages == ["simulate", "train", "sample", "audit", "analyse"]
    assert seen.done >= 160 + 20 + 40
    assert "reference" in (first.folder / "report.html").read_text()  # its own simulation
    with pytest.raises(StorageError, match="is not empty"):
        api.run(**asked, options=quick)
    again = api.run(out=tmp_path / "run", resume=True)
    np.testing.assert_array_equal(again.log_weights, first.log_weights)


def test_report_compares_with_a_reference(ensemble, data):
    page = api.report(ensemble.folder)
    assert page == ensemble.folder / "report.html"
    alone = page.read_text()
    beside = api.report(str(ensemble.folder), reference=str(data)).read_text()
    assert beside.count("reference") > alone.count("reference")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: api.run(system="no such thing?"), "'no such thing?' is not understood"),
        (lambda: api.run(options={"integratr.rtol": 1}), "unknown key 'integratr'"),
        (lambda: api.run(**WELL, model="mlp", options={"integrator.rtoll": 1e-5}), "unknown option 'rtoll'"),
        (lambda: api.sample("nowhere", **WELL), "nowhere: no such folder"),
        (lambda: api.train("nowhere"), "nowhere: no such folder"),
        (lambda: api.simulate(**WELL, walkers=0), "simulation.walkers = 0"),
        (lambda: api.report("nowhere"), "nowhere is not a folder"),
        (lambda: api.run(config={"energy": {"trust_forcefield": True}}), "which a file cannot"),
    ],
)
def test_what_is_wrong_is_said_before_any_folder_is_made(call, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TbgError, match=re.escape(text)):
        call()
    assert not list(tmp_path.iterdir())
