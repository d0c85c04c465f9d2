"""Whatever is wrong with the input: one line that says so and what to do, exit code not 0, no traceback."""

from __future__ import annotations

import os

import pytest


def refused(result, *texts, code=2):
    assert result.returncode == code, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in result.stderr + result.stdout
    for text in texts:
        assert text in lines[0]


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["run", "--model", "egn"], ["unknown model 'egn'", "Did you mean 'egnn'?"]),
        (["run", "--energy", "opnmm", "--system", "GF"], ["unknown energy 'opnmm'", "'openmm'"]),
        (["run", "--integrator", "dopri"], ["unknown integrator 'dopri'", "'dopri5'"]),
        (["run", "--energy", "os:system"], ["looks like an import path", "can only name components"]),
        (["run", "-s", "integrator.rtoll=1e-5"], ["unknown option 'rtoll'", "'rtol'", "Allowed:"]),
        (["run", "-s", "integrator.rtol=fast"], ["rtol = 'fast'"]),
        (["run", "-s", "trainning.steps=3"], ["unknown key 'trainning'", "'training'"]),
        (["run", "-n", "-5"], ["--num-samples", "greater than or equal to 1"]),
        (["run", "-n", "0"], ["--num-samples"]),
        (["run", "-n", "many"], ["--num-samples"]),
        (["run", "--seed", "-1"], ["--seed"]),
        (["run", "--temperature", "-300"], ["--temperature"]),
        (["run", "--threads", "0"], ["--threads"]),
        (["simulate", "--walkers", "-2"], ["--walkers"]),
        (["simulate", "--frames", "-2"], ["--frames"]),
        (["train", "--steps", "-2"], ["--steps"]),
        (["run", "--max-memory", "lots"], ["'lots' is no size", "--max-memory 4GB"]),
        (["run", "--max-memory", "1MB"], ["too little"]),
        (["run", "--device", "gpu"], ["unknown device 'gpu'", "cuda"]),
        (["run", "--checkpoint", "nowhere"], ["--checkpoint nowhere", "no such folder"]),
        (["run", "--config", "nowhere.yaml"], ["cannot read the config nowhere.yaml"]),
        (["run", "--sampel", "3"], ["--sampel", "tbg run --help"]),
        (["sample"], ["--checkpoint"]),
        (["reweight", "nowhere"], ["nowhere is not a folder"]),
        (["report", "nowhere"], ["nowhere is not a folder"]),
        (["report"], ["takes the folder of a run"]),
        (["rum"], ["rum"]),
        (["components", "show", "dopri"], ["no component is called 'dopri'", "'dopri5'"]),
        (["components", "list", "--kind", "integrators"], ["unknown kind 'integrators'", "'integrator'"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value[:1] != [""] else None,
)
def test_bad_arguments(tbg, arguments, texts):
    refused(tbg(*arguments), *texts)


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("modle: egnn\n", ["unknown option 'modle'", "'model'"]),
        ("integrator: {name: dopri5, rtoll: 1}\n", ["unknown option 'rtoll'"]),
        ("sampling: {num_samples: -4}\n", ["sampling.num_samples = -4"]),
        ("model: !!python/object/apply:os.system ['touch owned']\n", ["line 1", "object tag", "os.system"]),
        ("model: !!python/object/new:subprocess.Popen [[touch, owned]]\n", ["object tag"]),
        ("energy: {name: 'subprocess:run', args: [touch, owned]}\n", ["import path"]),
        ("energy: {name: openmm, trust_forcefield: true}\n", ["trust_forcefield", "--trust-forcefield"]),
    ],
)
def test_bad_config_files_and_nothing_is_executed(tbg, tmp_path, text, texts):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    refused(tbg("run", "--config", path), *texts)
    assert not (tmp_path / "work" / "owned").exists()
    assert not (tmp_path / "work" / "runs").exists()


def test_a_system_that_nobody_understands(tbg):
    refused(tbg("run", "--system", "no such thing?"), "'no such thing?' is not understood", "GF")
    refused(tbg("run", "--system", "nowhere.pdb"), "nowhere.pdb")


def test_a_folder_in_use_is_left_alone(tbg, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    refused(tbg("run", "--system", "GF", "--out", out), "is not empty", "--resume", "--out")
    assert [p.name for p in out.iterdir()] == ["precious.txt"]


def test_a_folder_that_cannot_be_written(tbg, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    refused(tbg("run", "--system", "GF", "--out", file), "is a file, not a folder")
    refused(tbg("run", "--system", "GF", "--out", file / "below"), "cannot write to", "--out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tbg, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused(tbg("run", "--system", "GF", "--out", locked / "run"), "permission denied", "--out")


def test_debugging_shows_where(tbg):
    result = tbg("run", "--device", "gpu", TBG_DEBUG="1")
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: unknown device")
