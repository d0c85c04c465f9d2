"""A tiny pipeline on a toy, through the Python functions that the verbs call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.config.run_config import RunConfig
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.sample import sample
from tbg_core.pipeline.simulate import simulate
from tbg_core.pipeline.train import train

SETTINGS: dict[str, Any] = {
    "system": "asymmetric-double-well",
    "energy": "double-well",
    "model": {"name": "mlp", "width": 8},
    "prior": "gaussian",
    "dynamics": "exact-sampler",
    "integrator": {"name": "rk4", "steps": 8},
    "likelihood": "augmented",
    "simulation": {"walkers": 2, "frames": 30, "block_frames": 20},
    "training": {"steps": 12, "batch_size": 8, "checkpoint_every": 5, "log_every": 3, "warmup_steps": 2},
    "sampling": {"num_samples": 20, "block_size": 8},
}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def configuration(**changes: Any) -> RunConfig:
    """The resolved tiny run; a mapping in ``changes`` is laid over the settings of its key."""
    merged = {**SETTINGS}
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return resolve(make_config(merged), needs=("system", "model", "energy", "sampler", "objective", "dynamics"))


@pytest.fixture(scope="session")
def tiny():
    """Makes configurations of the tiny run: ``tiny(training={"steps": 3})``."""
    return configuration


@dataclass(frozen=True)
class TinyRun:
    """Folders of the finished stages."""

    simulation: Path
    checkpoint: Path
    samples: Path


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """The stages of the tiny run, one after the other."""
    torch.set_num_threads(1)
    folder, config, quiet = tmp_path_factory.mktemp("tiny"), configuration(), NullProgress()
    simulation = simulate(config, folder / "simulation", resume=False, workers=1, progress=quiet)
    checkpoint = train(config, [simulation], folder / "training", resume=False, device="cpu", progress=quiet)
    samples = sample(config, checkpoint, folder / "samples", resume=False, device="cpu", workers=1, progress=quiet)
    return TinyRun(simulation, checkpoint, samples)
