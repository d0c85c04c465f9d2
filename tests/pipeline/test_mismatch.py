"""A run whose target is not that of the training data says so before it samples."""

from __future__ import annotations

import shutil

import pytest
import yaml

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import CheckpointError
from tbg_core.pipeline.checkpoints import bind_checkpoint, find_checkpoint, training_mismatch
from tbg_core.pipeline.components import build_system

AS_TRAINED = ("amber99sbildn-obc-300K", 300.0)


@pytest.mark.parametrize(
    ("preset", "temperature_K", "said"),
    [
        (*AS_TRAINED, []),
        ("auto", 300.0, []),
        ("amber99sbildn-obc-300K", 330.0, ["at 300 K, not 330 K"]),
        ("amber14-obc1-310K", 300.0, ["with the preset amber99sbildn-obc-300K, not amber14-obc1-310K"]),
        ("amber14-obc1-310K", 310.0, ["at 300 K, not 310 K", "not amber14-obc1-310K"]),
    ],
)
def test_a_target_that_the_model_was_not_trained_for_is_named(preset, temperature_K, said):
    config = resolve(make_config({"system": "ACE-ALA-NME", "energy": {"name": "openmm", "preset": preset}}))
    checkpoint = find_checkpoint(config, build_system(config))
    warning = training_mismatch(checkpoint, config, ThermodynamicState(temperature_K))
    assert bool(warning) == bool(said)
    assert all(text in warning for text in said)


def test_a_prior_that_was_named_is_never_overruled(tmp_path):
    """Not even where it is the default: what was left out follows the checkpoint, what was named must agree."""
    silent = resolve(make_config({"system": "ACE-ALA-NME"}))
    checkpoint = tmp_path / "gaussian"
    shutil.copytree(find_checkpoint(silent, build_system(silent)), checkpoint)
    content = yaml.safe_load((checkpoint / "config.yaml").read_text())
    content["model"]["prior"] = {"name": "mean-free-gaussian"}
    (checkpoint / "config.yaml").write_text(yaml.safe_dump(content))
    assert bind_checkpoint(silent, checkpoint).prior == {"name": "mean-free-gaussian"}
    named = resolve(make_config({"system": "ACE-ALA-NME", "prior": "harmonic"}))
    with pytest.raises(CheckpointError, match="trained with prior mean-free-gaussian, not harmonic"):
        bind_checkpoint(named, checkpoint)
