"""A checkpoint serves molecules that it was not trained on, as far as it has seen their parts, and says how far."""

from __future__ import annotations

import pytest

from tbg_core.config.run_config import RunConfig
from tbg_core.errors import CheckpointError
from tbg_core.pipeline import checkpoints
from tbg_core.storage.checkpoint import Checkpoint, save_checkpoint


@pytest.fixture
def config():
    return RunConfig(model={"name": "autoregressive"})


@pytest.fixture
def shipped(tmp_path, molecule, make_model, monkeypatch):
    """A model that was trained on SA and YG, as if it came with the plugin."""
    systems = [molecule("SA"), molecule("YG")]
    model = make_model(*systems)
    reference = {"name": "autoregressive", **model.config.model_dump(mode="json")}
    listed = [{"name": s.name, "key": s.key} for s in systems]
    save_checkpoint(tmp_path / "peptides", model, reference, systems=listed)
    opened = Checkpoint.open(tmp_path / "peptides")
    monkeypatch.setattr(checkpoints, "shipped_checkpoints", lambda _: iter([opened]))
    return opened


def test_trained_on(config, shipped, molecule):
    assert checkpoints.find_checkpoint(config, molecule("SA")) == shipped.folder
    assert checkpoints.outside_training(config, shipped.folder, molecule("SA")) == ""


def test_made_of_parts_that_were_seen(config, shipped, molecule):
    share = checkpoints.coverage(config, shipped, molecule("SG"))
    assert checkpoints.SERVES < share <= 1.0
    assert checkpoints.find_checkpoint(config, molecule("SG")) == shipped.folder
    warning = checkpoints.outside_training(config, shipped.folder, molecule("SG"))
    assert ("expect a low ESS" in warning) == (share < 1.0)


def test_of_other_parts(config, shipped, molecule):
    with pytest.raises(CheckpointError, match=r"no checkpoint of autoregressive covers PP.*Shipped.*: SA, YG"):
        checkpoints.find_checkpoint(config, molecule("PP"))
    assert "PP was not in the model's training" in checkpoints.outside_training(config, shipped.folder, molecule("PP"))
