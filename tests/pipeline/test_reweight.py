"""The draws of a run under another target: nothing is drawn, and weights are those computed by hand."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.validity import Validity
from tbg_core.errors import EnergyError, StorageError
from tbg_core.pipeline.components import bind_target, build_system
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.reweight import reweight
from tbg_core.storage.shards import ShardStore


def redo(run, changes, out, *, resume=False):
    reweight(run, changes, out, resume=resume, progress=NullProgress())
    return Ensemble.load(out)


def test_another_temperature(tiny_run, tmp_path):
    before = Ensemble.load(tiny_run.samples)
    after = redo(tiny_run.samples, {"temperature_K": 400.0}, tmp_path / "hot")
    np.testing.assert_allclose(after.log_weights, -before.reduced_energy * 300 / 400 - before.log_q, atol=1e-12)
    assert after.temperature_K == 400.0
    assert np.array_equal(after.positions, before.positions)
    assert np.array_equal(after.log_q, before.log_q)
    metrics = json.loads((tmp_path / "hot" / "metrics.json").read_text())
    assert metrics["temperature_K"] == 400.0
    assert metrics["model"] == "mlp"
    assert metrics["energy_evaluations"] == 20
    assert (tmp_path / "hot" / "report.html").is_file()


def test_another_energy(tiny, tiny_run, tmp_path):
    energy = {"name": "double-well", "tilt": -2.0, "barrier": 8.0}
    before = Ensemble.load(tiny_run.samples)
    after = redo(tiny_run.samples, {"energy": energy}, tmp_path / "tilted")
    config = tiny(energy=energy)
    with bind_target(config, build_system(config)) as target:
        u = target.reduced_energy(torch.from_numpy(before.positions).double()).numpy()
    np.testing.assert_allclose(after.log_weights, -u - before.log_q, atol=1e-12)
    assert not np.allclose(after.log_weights, before.log_weights)


def test_there_and_back_is_where_it_began(tiny_run, tmp_path):
    before = Ensemble.load(tiny_run.samples)
    redo(tiny_run.samples, {"temperature_K": 400.0}, tmp_path / "hot")
    after = redo(tmp_path / "hot", {"temperature_K": 300.0}, tmp_path / "back")
    for name, column in before.arrays().items():
        assert np.array_equal(column, after.arrays()[name], equal_nan=True), name


def test_rows_that_only_the_old_energy_had_lost_count_again(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run.samples, run)
    store = ShardStore(run / "ensemble")
    arrays = store.read(0)
    u = arrays["reduced_energy"].copy()
    for row, status in ((0, Validity.NONFINITE_ENERGY), (1, Validity.INTEGRATION_FAILED)):
        arrays["reduced_energy"][row], arrays["valid"][row], arrays["status"][row] = np.nan, False, status
    store.write(0, arrays)
    store.seal()
    after = redo(run, {"temperature_K": 400.0}, tmp_path / "out")
    assert after.valid[0]
    assert after.reduced_energy[0] == pytest.approx(u[0] * 300 / 400)
    assert not after.valid[1]
    assert after.status[1] == Validity.INTEGRATION_FAILED
    assert int((~after.valid).sum()) == 1


def test_an_interrupted_reweighting_is_completed(tiny_run, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    redo(tiny_run.samples, {"temperature_K": 400.0}, whole)
    shutil.copytree(whole, parts)
    for name in ("shard-000001.safetensors", "manifest.json"):
        (parts / "ensemble" / name).unlink()
    (parts / "metrics.json").unlink()
    with pytest.raises(StorageError, match="earlier job"):
        redo(tiny_run.samples, {"temperature_K": 400.0}, parts)
    with pytest.raises(StorageError, match=r"temperature_K: was 400\.0, now 410\.0"):
        redo(tiny_run.samples, {"temperature_K": 410.0}, parts, resume=True)
    redo(tiny_run.samples, {"temperature_K": 400.0}, parts, resume=True)
    for path in (whole / "ensemble").iterdir():
        assert path.read_bytes() == (parts / "ensemble" / path.name).read_bytes()
    counts = [json.loads((f / "metrics.json").read_text())["energy_evaluations"] for f in (whole, parts)]
    assert counts[0] == counts[1]


def test_an_energy_of_another_system_is_refused_before_a_folder_is_claimed(tiny_run, tmp_path):
    with pytest.raises(EnergyError, match="mueller-brown"):
        redo(tiny_run.samples, {"energy": "mueller-brown"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_energy_keeps_the_temperature_of_the_run(tiny_run, tmp_path):
    """Its default may be another one: that of a toy is 1 / k_B, that of ASE 300 K."""
    run = tmp_path / "run"
    shutil.copytree(tiny_run.samples, run)
    provenance = json.loads((run / "provenance.json").read_text())
    provenance["target"]["temperature_K"] = 350.0
    (run / "provenance.json").write_text(json.dumps(provenance))
    energy = {"name": "double-well", "tilt": -2.0}
    assert redo(run, {"energy": energy}, tmp_path / "same").temperature_K == 300.0
    config = (run / "config.yaml").read_text()
    assert "temperature_K: null" in config
    (run / "config.yaml").write_text(config.replace("name: double-well", "name: of-before", 1))
    assert redo(run, {"energy": energy}, tmp_path / "other").temperature_K == 350.0


def test_dynamics_that_cannot_integrate_the_new_energy_do_not_matter(tiny_run, tmp_path):
    """The configuration of a whole run names them; a reweighting simulates nothing."""
    pytest.importorskip("tbg_openmm")
    run = tmp_path / "run"
    shutil.copytree(tiny_run.samples, run)
    with (run / "config.yaml").open("a") as file:
        file.write("dynamics: {name: engine}\n")
    redo(run, {"energy": {"name": "double-well", "tilt": -2.0}}, tmp_path / "out")
