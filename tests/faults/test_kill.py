"""Killed at any moment and resumed, a job leaves what an uninterrupted one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

STAGES = ("simulate", "train", "sample")
HOWS = ("torn", "before", "after")
REPORTING = {("sample", "before"), ("sample", "after")}
KILLED = -signal.SIGKILL


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        # Attempts at the last stage write a report each; one way of dying is enough for every day.
        pytest.param(stage, how, marks=[pytest.mark.slow] if (stage, how) in REPORTING else [])
        for stage in STAGES
        for how in HOWS
    ],
)
def test_killed_again_and_again(commands, toy, same_as, tmp_path, stage, how):
    # The first attempt dies at its first file, the second at its second, and so on until one gets through.
    toy.before(stage, tmp_path)
    for rename in range(1, 100):
        attempt = commands(*toy.arguments(stage, "--resume"), folder=tmp_path, kill={"rename": rename, "how": how})
        if attempt.code == 0:
            break
        assert attempt.code == KILLED, attempt.stderr
    assert rename > 4  # the fault did strike
    same_as(tmp_path / stage, toy.folder / stage)


@pytest.mark.parametrize(
    ("stage", "name", "rename"),
    [
        ("simulate", "shard-000001.safetensors", 1),
        ("simulate", "manifest.json", 1),
        ("train", "training-state.safetensors", 2),  # log lines exist for steps of which no state does
        ("train", "model.safetensors", 1),
        ("train", "manifest.json", 1),
        ("sample", "shard-000001.json", 1),
        ("sample", "shard-000001.safetensors", 1),  # its costs are there
        ("sample", "manifest.json", 1),
        ("sample", "weights.csv", 1),
        ("sample", "metrics.json", 1),
        ("sample", "report.html", 1),
    ],
)
def test_killed_between_files_that_belong_together(commands, toy, same_as, tmp_path, stage, name, rename):
    toy.before(stage, tmp_path)
    kill = {"rename": rename, "name": name, "how": "torn"}
    assert commands(*toy.arguments(stage), folder=tmp_path, kill=kill).code == KILLED
    left = [path.name for path in (tmp_path / stage).rglob("*") if not path.name.startswith(".")]
    assert name not in left or name == "training-state.safetensors"
    assert commands(*toy.arguments(stage, "--resume"), folder=tmp_path).code == 0
    same_as(tmp_path / stage, toy.folder / stage)


@pytest.mark.parametrize("kept", [0, 3, 27, 29, 40, 51])
def test_killed_within_a_line_of_the_log(commands, toy, same_as, tmp_path, kept):
    kill = {"rename": 1, "name": "model.safetensors"}
    toy.before("train", tmp_path)
    assert commands(*toy.arguments("train"), folder=tmp_path, kill=kill).code == KILLED
    # The log is appended to and not renamed: a kill may cut it anywhere after the last state.
    log = tmp_path / "train" / "loss.csv"
    whole = log.read_bytes()
    state = tmp_path / "train" / "training-state.safetensors"
    state.unlink()
    log.write_bytes(whole[:kept])
    assert commands(*toy.arguments("train", "--resume"), folder=tmp_path).code == 0
    same_as(tmp_path / "train", toy.folder / "train")


def test_a_half_line_is_never_taken_for_a_step(commands, toy, tmp_path):
    toy.before("train", tmp_path)
    kill = {"rename": 1, "name": "model.safetensors"}
    assert commands(*toy.arguments("train"), folder=tmp_path, kill=kill).code == KILLED
    log = tmp_path / "train" / "loss.csv"
    log.write_bytes(log.read_bytes() + b"2")  # of "20,..."
    assert commands(*toy.arguments("train", "--resume"), folder=tmp_path).code == 0
    assert [line.split(",")[0] for line in log.read_text().splitlines()] == ["step", *map(str, range(5, 31, 5))]


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_random_times(commands, toy, same_as, tmp_path, stage):
    rng = np.random.default_rng(STAGES.index(stage))
    toy.before(stage, tmp_path)
    for _ in range(3):
        killed_after = rng.uniform(0.2, 1.0) * toy.seconds[stage]
        commands(*toy.arguments(stage, "--resume"), folder=tmp_path, kill_after=killed_after)
    assert commands(*toy.arguments(stage, "--resume"), folder=tmp_path).code == 0
    same_as(tmp_path / stage, toy.folder / stage)


def test_killed_with_its_workers(commands, toy, same_as, tmp_path):
    more = ["-sintegrator.steps=60"]  # long enough to be killed in between
    alone, killed = toy.before("sample", tmp_path / "alone"), toy.before("sample", tmp_path / "killed")
    assert commands(*toy.arguments("sample", *more), folder=alone).code == 0
    command = [sys.executable, "-m", "tbg_core.cli.main", *map(str, toy.arguments("sample", *more)), "--threads=2"]
    shards = killed / "sample" / "ensemble"
    with subprocess.Popen(command, cwd=killed, start_new_session=True) as process:
        try:
            _wait_until(lambda: any(shards.glob("shard-*")) or process.poll() is not None)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == KILLED
    assert not (killed / "sample" / "report.html").exists()
    assert commands(*toy.arguments("sample", "--resume", *more), folder=killed).code == 0
    same_as(killed / "sample", alone / "sample")


def _wait_until(happened, seconds=90.0):
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "nothing happened"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("stage", STAGES)
def test_killed_once_at_every_file(commands, toy, same_as, tmp_path, stage, how):
    for rename in range(1, 100):
        folder = toy.before(stage, tmp_path / str(rename))
        attempt = commands(*toy.arguments(stage), folder=folder, kill={"rename": rename, "how": how})
        if attempt.code == 0:
            break
        assert attempt.code == KILLED, attempt.stderr
        assert commands(*toy.arguments(stage, "--resume"), folder=folder).code == 0
        same_as(folder / stage, toy.folder / stage)
    assert rename > 4


@pytest.mark.slow
def test_killed_at_twenty_random_times(commands, toy, same_as, tmp_path):
    rng = np.random.default_rng(20)
    for trial in range(20):
        stage = STAGES[trial % 3]
        folder = toy.before(stage, tmp_path / str(trial))
        struck = rng.uniform(0.0, toy.seconds[stage])
        assert commands(*toy.arguments(stage), folder=folder, kill_after=struck).code in {0, KILLED}
        assert commands(*toy.arguments(stage, "--resume"), folder=folder).code == 0
        same_as(folder / stage, toy.folder / stage)
