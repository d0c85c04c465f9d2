"""Kill and resume on a real molecule: molecular dynamics, an equivariant network, a force field."""

from __future__ import annotations

import json
import shutil
import signal

import numpy as np
import pytest

STAGES = ("simulate", "train", "sample")
DYNAMICS = ("temperatures_K=[]", "heating_ps=0.1", "equilibration_ps=0.2", "frame_interval_ps=0.2")
TRAINING = ("batch_size=32", "learning_rate=5e-3", "warmup_steps=20", "ema_decay=0.99", "checkpoint_every=50")
ARGUMENTS = {
    "simulate": ["--system=ACE-NME", "--walkers=2", "--frames=300", "-ssimulation.block_frames=30"]
    + [f"-sdynamics.{option}" for option in DYNAMICS],
    "train": [
        "--data=simulate",
        "--model=egnn",
        "-smodel.layers=2",
        "-smodel.width=16",
        "--steps=800",
        "-straining.log_every=50",
        # The paper's objective: in few steps it gives more valid molecules than the default.
        "-sobjective.sigma=0.01",
        "-sobjective.time_law=uniform",
    ]
    + [f"-straining.{option}" for option in TRAINING],
    "sample": [
        *("--checkpoint=train/checkpoint", "--system=ACE-NME", "-n", "44", "-ssampling.block_size=8"),
        *("--integrator=rk4", "-sintegrator.steps=10"),
    ],
}


def arguments(stage, *more):
    return [stage, *ARGUMENTS[stage], f"--out={stage}", "--threads=1", "--seed=2", "--quiet", *more]


@pytest.mark.slow
def test_killed_at_random_times(molecular_commands, same_as, tmp_path):
    whole = tmp_path / "whole"
    seconds = {}
    for stage in STAGES:
        attempt = molecular_commands(*arguments(stage), folder=whole)
        assert attempt.code == 0, attempt.stderr
        seconds[stage] = attempt.seconds
    # Short as it is, the training gives molecules whose energies are computed.
    assert json.loads((whole / "sample" / "metrics.json").read_text())["valid"] > 10
    rng = np.random.default_rng(12)
    struck = 0
    for stage in STAGES:
        folder = tmp_path / stage
        folder.mkdir()
        for earlier in STAGES[: STAGES.index(stage)]:
            shutil.copytree(whole / earlier, folder / earlier)
        # Each attempt gets less far than the whole takes, and the last one is left alone.
        for _ in range(4):
            after = rng.uniform(0.1, 0.8) * seconds[stage]
            attempt = molecular_commands(*arguments(stage, "--resume"), folder=folder, kill_after=after)
            assert attempt.code in {0, -signal.SIGKILL}, attempt.stderr
            struck += attempt.code != 0
        assert molecular_commands(*arguments(stage, "--resume"), folder=folder).code == 0
        same_as(folder / stage, whole / stage)
    assert struck >= 6
