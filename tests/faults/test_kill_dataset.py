"""A dataset whose making is killed again and again ends as one that was made in peace."""

from __future__ import annotations

import signal

import numpy as np
import pytest

OPTIONS = (
    "simulation.walkers=4",
    "simulation.block_frames=2",
    "dynamics.temperatures_K=[310.0,340.0]",
    "dynamics.heating_ps=0.02",
    "dynamics.scramble_ps=0.02",
    "dynamics.equilibration_ps=0.02",
    "dynamics.exchange_interval_ps=0.02",
    "dynamics.frame_interval_ps=0.02",
)
COMMAND = ["datasets", "make", "dipeptides", "--systems=AG,GG", "--frames=6", "--out=made", "--threads=1", "--quiet"]
COMMAND += [f"-s{option}" for option in OPTIONS]
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def whole(molecular_commands, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    attempt = molecular_commands(*COMMAND, folder=folder)
    assert attempt.code == 0, attempt.stderr
    return folder / "made", attempt.seconds


@pytest.mark.parametrize(
    ("name", "rename", "how"),
    [
        ("shard-000001.safetensors", 1, "torn"),
        pytest.param("shard-000000.safetensors", 2, "after", marks=pytest.mark.slow),  # of the second system
        pytest.param("convergence.json", 1, "before", marks=pytest.mark.slow),
        pytest.param("dataset.json", 2, "torn", marks=pytest.mark.slow),
    ],
)
def test_killed_between_files_that_belong_together(molecular_commands, whole, same_as, tmp_path, name, rename, how):
    kill = {"name": name, "rename": rename, "how": how}
    assert molecular_commands(*COMMAND, folder=tmp_path, kill=kill).code == KILLED
    assert molecular_commands(*COMMAND, "--resume", folder=tmp_path).code == 0
    same_as(tmp_path / "made", whole[0])


@pytest.mark.slow
def test_killed_at_random_times(molecular_commands, whole, same_as, tmp_path):
    rng = np.random.default_rng(3)
    expected, seconds = whole
    for _ in range(4):
        molecular_commands(*COMMAND, "--resume", folder=tmp_path, kill_after=rng.uniform(0.1, 0.7) * seconds)
    assert molecular_commands(*COMMAND, "--resume", folder=tmp_path).code == 0
    same_as(tmp_path / "made", expected)
