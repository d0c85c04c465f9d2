"""Folders, metrics and other packages' trajectories."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble, Validity
from tbg_core.ensemble.metrics import weights_csv
from tbg_core.ensemble.recorded_system import RecordedSystem, system_from_dict
from tbg_core.errors import StorageError, TbgError, UnsupportedSystemError
from tbg_core.molecule import Molecule

WATER = Molecule(
    name="water",
    elements=("O", "H", "H"),
    atom_names=("O", "H1", "H2"),
    residue_index=(0, 0, 0),
    residue_names=("HOH",),
    bonds=((0, 1), (0, 2)),
    masses=(15.999, 1.008, 1.008),
    formal_charges=(0, 0, 0),
    handedness=(),
)


@pytest.fixture
def water():
    n = 4
    return Ensemble(
        WATER,
        300.0,
        np.random.default_rng(0).normal(size=(n, 3, 3)).astype(np.float32),
        *(np.zeros(n), np.zeros(n), np.ones(n, dtype=bool), np.zeros(n), np.zeros(n, dtype=np.int64)),
    )


def test_round_trip_is_exact(double_well, tmp_path):
    ensemble = double_well.ensemble(50, seed=1, provenance={"model": "flow"})
    valid = np.arange(50) % 5 != 0
    ensemble = ensemble.filter(valid, "test")
    ensemble.save(tmp_path / "run")
    loaded = Ensemble.load(tmp_path / "run")
    for name in ("positions", "log_q", "reduced_energy", "valid", "log_q_err", "status", "log_weights"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(ensemble, name))
        assert getattr(loaded, name).dtype == getattr(ensemble, name).dtype
    assert loaded.provenance == ensemble.provenance
    assert loaded.system == ensemble.system
    assert (loaded.base_log_weights, loaded.parent) == (None, None)


def test_resampled_ensembles_survive_the_disk(double_well, x1, tmp_path):
    drawn = double_well.ensemble(500, seed=1).resample(1, 300)
    drawn.save(tmp_path)
    loaded = Ensemble.load(tmp_path)
    np.testing.assert_array_equal(loaded.parent, drawn.parent)
    assert loaded.expectation(x1) == drawn.expectation(x1)


def test_molecules_survive_the_disk(water, tmp_path):
    water.save(tmp_path)
    loaded = Ensemble.load(tmp_path)
    assert isinstance(loaded.system, Molecule)
    assert loaded.system.key == WATER.key


def test_folder_of_another_system_is_refused(double_well, tmp_path):
    double_well.ensemble(5, seed=1).save(tmp_path)
    with pytest.raises(StorageError, match="samples of double-well, not of other"):
        Ensemble.load(tmp_path, RecordedSystem("other", "ffff", (1,), 1))


def test_nothing_is_overwritten(double_well, tmp_path):
    double_well.ensemble(5, seed=1).save(tmp_path)
    with pytest.raises(StorageError, match="already holds"):
        double_well.ensemble(5, seed=2).save(tmp_path)


def test_missing_or_altered_files_are_named(double_well, tmp_path):
    with pytest.raises(StorageError, match=r"system\.json"):
        Ensemble.load(tmp_path)
    double_well.ensemble(5, seed=1).save(tmp_path)
    shard = tmp_path / "ensemble" / "shard-000000.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(StorageError, match="shard-000000"):
        Ensemble.load(tmp_path)


@pytest.mark.parametrize("record", [{"type": "recorded", "name": "x"}, {"type": "magic"}, {}])
def test_damaged_records_of_systems(record):
    with pytest.raises(StorageError):
        system_from_dict(record)


def test_recorded_spaces():
    assert RecordedSystem("a", "0", (4,), 4).space.dim == 4
    assert RecordedSystem("a", "0", (5, 3), 12).space.event_shape == (5, 3)
    simplex = RecordedSystem("a", "0", (7, 4), 21).space
    assert (simplex.event_shape, simplex.dim) == ((7, 4), 21)
    with pytest.raises(StorageError, match="not recorded"):
        simplex.project(np.zeros((2, 7, 4)))


def test_metrics_have_the_promised_names_and_are_json(double_well):
    ensemble = double_well.ensemble(400, seed=1)
    content = ensemble.metrics(model="flow", energy="toy", energy_evaluations=400, seconds={"sample": 1.5})
    promised = (
        "system model energy temperature_K attempted valid dropped ess ess_fraction pareto_k log_z log_z_err "
        "energy_evaluations seconds"
    )
    assert set(promised.split()) <= content.keys()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["ess_fraction"] == pytest.approx(content["ess"] / 400)
    assert content["seconds"] == {"sample": 1.5}


def test_metrics_of_a_hopeless_run_are_json_too(make_ensemble):
    ensemble = make_ensemble(np.zeros((4, 1)), np.zeros(4), np.full(4, np.nan), np.zeros(4, dtype=bool))
    content = ensemble.metrics()
    json.dumps(content, allow_nan=False)
    assert (content["ess"], content["valid"], content["dropped"]) == (0.0, 0, 4)
    assert content["log_z"] is None
    assert content["reliable"] is False


def test_weights_csv_has_a_row_per_attempted_sample(double_well):
    ensemble = double_well.ensemble(20, seed=1).filter(np.arange(20) > 2, "test")
    rows = list(csv.DictReader(weights_csv(ensemble).splitlines()))
    assert len(rows) == 20
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(1.0)
    assert (rows[0]["valid"], rows[0]["status"]) == ("0", "filtered")
    assert float(rows[5]["log_weight"]) == ensemble.log_weights[5]


def test_every_reason_has_words():
    assert len({code.reason for code in Validity}) == len(Validity)


def test_mdtraj(water):
    pytest.importorskip("mdtraj")
    trajectory = water.to_mdtraj()
    np.testing.assert_array_equal(trajectory.xyz, water.positions)
    assert [a.name for a in trajectory.topology.atoms] == ["O", "H1", "H2"]
    assert trajectory.topology.n_bonds == 2


def test_mdanalysis(water):
    pytest.importorskip("MDAnalysis")
    universe = water.to_mdanalysis()
    assert len(universe.trajectory) == 4
    universe.trajectory[2]
    np.testing.assert_allclose(universe.atoms.positions, water.positions[2] * 10.0, rtol=1e-6)
    assert list(universe.atoms.names) == ["O", "H1", "H2"]


@pytest.mark.parametrize(("method", "package"), [("to_mdtraj", "mdtraj"), ("to_mdanalysis", "MDAnalysis")])
def test_missing_package_names_the_extra(water, monkeypatch, method, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TbgError, match=rf"{package} is not installed.*tbg-core\[trajectories\]"):
        getattr(water, method)()


def test_toys_have_no_trajectory(double_well):
    with pytest.raises(UnsupportedSystemError, match="double-well"):
        double_well.ensemble(5, seed=1).to_mdtraj()
