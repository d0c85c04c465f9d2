"""What a command line amounts to: configuration and folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tbg_core.cli.machine import parse_size, prepare_machine
from tbg_core.config.load import dump_config, make_config
from tbg_core.config.request import default_folder, make_request
from tbg_core.config.units import unit_of
from tbg_core.errors import ConfigError, StorageError
from tbg_core.storage.folders import check_folder

NOTHING = {"config": None, "overrides": None, "components": {}, "values": {}, "needs": (), "resume": False}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({}, "ACE-ALA-NME-egnn-openmm-seed0"),
        ({"system": "GF", "seed": 7, "model": {"name": "flow", "field": "mlp"}}, "GF-mlp-openmm-seed7"),
        ({"system": "some/where/my mol.pdb"}, "my_mol-egnn-openmm-seed0"),
        ({"system": "../../etc"}, ".._.._etc-egnn-openmm-seed0"),
    ],
)
def test_the_default_folder_names_what_is_run(data, name):
    assert default_folder(make_config(data)) == Path("runs") / name


def test_an_empty_folder_is_fine_and_a_used_one_needs_resume(tmp_path):
    check_folder(tmp_path / "new" / "deep", resume=False)
    assert (tmp_path / "new" / "deep").is_dir()
    assert not list((tmp_path / "new" / "deep").iterdir())
    check_folder(tmp_path / "new" / "deep", resume=False)
    (tmp_path / "new" / "file").write_text("")
    with pytest.raises(StorageError, match="--resume"):
        check_folder(tmp_path / "new", resume=False)
    check_folder(tmp_path / "new", resume=True)


def test_resuming_with_the_folder_alone_takes_its_configuration(tmp_path):
    given = {**NOTHING, "components": {"system": "GF"}, "values": {"seed": 5}, "out": tmp_path / "r"}
    first, out = make_request(**given)
    (out / "config.yaml").write_text(dump_config(first) + "data: [somewhere]\n")
    resumed, _ = make_request(**{**NOTHING, "out": out, "resume": True})
    assert resumed == first
    same_command, _ = make_request(**{**given, "resume": True})
    assert same_command == first


def test_a_checkpoint_stands_for_its_model_and_prior(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.yaml").write_text(
        "model: {name: flow, field: {name: egnn, width: 32}, prior: {name: harmonic}, length_scale_nm: 0.1}\n"
    )
    given = {**NOTHING, "components": {"system": "GF", "model": "egnn"}, "out": tmp_path / "r"}
    config, _ = make_request(**given, checkpoint=checkpoint)
    assert config.prior["name"] == "harmonic"
    assert config.model["field"]["width"] == 32
    assert config.model["length_scale_nm"] == 0.1
    chosen = {**given, "components": {"system": "GF", "prior": "mean-free-gaussian"}}
    assert make_request(**chosen, checkpoint=checkpoint)[0].prior["name"] == "mean-free-gaussian"


def test_trust_needs_the_flag(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("energy: {name: openmm, trust_forcefield: true}\n")
    given = {**NOTHING, "config": path, "components": {"system": "GF"}, "out": tmp_path / "r"}
    with pytest.raises(ConfigError, match="--trust-forcefield"):
        make_request(**given)
    assert make_request(**given, trust_forcefield=True)[0].energy["trust_forcefield"] is True


@pytest.mark.parametrize(("text", "size"), [("4GB", 4 * 10**9), ("1.5g", 15 * 10**8), ("2000 MiB", 2 * 10**9)])
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


def test_threads_reach_the_libraries_before_they_are_loaded(monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENMM_CPU_THREADS"):
        monkeypatch.setenv(name, "9")
    assert prepare_machine(threads=3, max_memory=None) == 3
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert prepare_machine(threads=None, max_memory=None) >= 1


@pytest.mark.parametrize(
    ("name", "meaning", "unit"),
    [
        ("timestep_fs", "Time step (fs); bonds are free.", "fs"),
        ("width", "Hidden width (units).", "units"),
        ("temperature_K", "Temperature.", "K"),
        ("nodes", "Divergences along each path.", ""),
    ],
)
def test_units_come_from_the_description_or_the_name(name, meaning, unit):
    assert unit_of(name, meaning) == unit
