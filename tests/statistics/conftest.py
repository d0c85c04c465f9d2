"""A model of the asymmetric double well, made by the pipeline: simulate, then train."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.config.run_config import RunConfig
from tbg_core.ensemble import Ensemble
from tbg_core.pipeline.checkpoints import bind_checkpoint, load_proposal
from tbg_core.pipeline.components import bind_target, build_system
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.sample import draw
from tbg_core.pipeline.simulate import simulate
from tbg_core.pipeline.train import train

PARTS = {
    "system": "asymmetric-double-well",
    "energy": "double-well",
    "model": {"name": "mlp", "width": 64},
    "prior": "gaussian",
    "dynamics": "exact-sampler",
}
NEEDS = ("system", "model", "energy", "sampler", "objective", "dynamics")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def configuration(**changes: Any) -> RunConfig:
    """A run on the double well; ``changes`` replace top-level keys."""
    return resolve(make_config({**PARTS, **changes}), needs=NEEDS)


@dataclass(frozen=True)
class Trained:
    """A trained flow and the exact values of what it is to sample.

    Attributes:
        simulation: Folder of the training data.
        checkpoint: Folder of the model.
    """

    simulation: Path
    checkpoint: Path

    def config(self, **changes: Any) -> RunConfig:
        """The run that samples the model, with ``changes``."""
        return bind_checkpoint(configuration(**changes), self.checkpoint)

    def sample(self, out: Path, *, workers: int = 1, **changes: Any) -> Ensemble:
        """Samples as ``tbg sample`` does, without its report."""
        draw(self.config(**changes), self.checkpoint, out, device="cpu", workers=workers, progress=NullProgress())
        return Ensemble.load(out)

    def proposal(self, **changes: Any) -> Any:
        """The model itself."""
        config = self.config(**changes)
        return load_proposal(config, self.checkpoint, build_system(config), "cpu")

    def exact(self, temperature_K: float = 300.0) -> dict[str, float]:
        """Exact values of the target; see tbg_toys."""
        config = configuration(temperature_K=temperature_K)
        with bind_target(config, build_system(config)) as target:
            return dict(target.reference_values)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A flow with an effective sample size above 90 %: about 5 s of one core."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("double-well")
    config = configuration(
        seed=1,
        simulation={"walkers": 4, "frames": 2500, "block_frames": 1250},
        training={"steps": 1500, "batch_size": 512, "learning_rate": 3e-3, "checkpoint_every": 500},
    )
    simulate(config, folder / "simulation", resume=False, workers=1, progress=NullProgress())
    checkpoint = train(
        config, [folder / "simulation"], folder / "training", resume=False, device="cpu", progress=NullProgress()
    )
    return Trained(folder / "simulation", checkpoint)


@pytest.fixture(scope="session")
def x0():
    """The coordinate along which the wells lie."""
    return lambda x: x[:, 0].astype(np.float64)
