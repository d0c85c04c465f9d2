"""Forces at the data, on the molecule whose simulation ships."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file

import tbg_egnn
from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.contracts.system import Batch
from tbg_core.objectives.config import FlowMatchingConfig
from tbg_core.objectives.flow_matching import FlowMatching
from tbg_core.pipeline.checkpoints import bind_checkpoint, load_proposal
from tbg_core.randomness import SampleKeys

SHIPPED = Path(tbg_egnn.__file__).parent / "checkpoints" / "alanine-dipeptide"


@pytest.mark.parametrize("reflections", [False, True])
def test_forces_take_most_of_the_noise_out_near_the_data(alanine_dipeptide, reflections):
    """The loss of the shipped model: its own error, which forces leave alone, and the noise of the targets."""
    config = resolve(make_config({"system": "ACE-ALA-NME", "model": "egnn"}), ("system", "model"))
    flow = load_proposal(bind_checkpoint(config, SHIPPED), SHIPPED, alanine_dipeptide, "cpu")
    frames = load_file(next(iter(sorted((SHIPPED / "reference" / "frames").glob("*.safetensors")))))["positions"]
    x, n = torch.from_numpy(frames[::3]), len(frames[::3])
    # Times within 0.08 of the data, nine of ten of them.
    options = {"time_alpha": 30.0, "time_beta": 1.0, "align_reflections": reflections}
    losses = []
    for energy in (None, "openmm"):
        objective = FlowMatching(FlowMatchingConfig(energy=energy, **options))
        with torch.no_grad():
            losses.append(
                float(objective.loss(flow, x, Batch.single(alanine_dipeptide, n), SampleKeys.range(0, "loss", 0, n)))
            )
    assert losses[1] < 0.45 * losses[0]
