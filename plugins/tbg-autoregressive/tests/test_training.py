"""Training over several molecules: it learns, and goes on to the bit where it was stopped."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tbg_autoregressive.config import AutoregressiveConfig
from tbg_autoregressive.proposal import Autoregressive
from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.config.settings import TrainingSettings
from tbg_core.objectives.config import MaximumLikelihoodConfig
from tbg_core.objectives.maximum_likelihood import MaximumLikelihood
from tbg_core.pipeline.components import bind_target
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.train import train
from tbg_core.randomness import SampleKeys
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_core.storage.atomic import write_json
from tbg_core.storage.checkpoint import WEIGHTS, Checkpoint
from tbg_core.training.data import Frames, TrainingData
from tbg_core.training.trainer import LOG, Trainer


class Stops(NullProgress):
    """Ctrl-C after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def stage(self, name, *, total=None, unit=""):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def advance(self, n=1, *, note=""):
        self.left -= n
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def fit(molecule, shaken, tmp_path_factory):
    systems = [molecule(n) for n in ("SA", "YG")]
    # Two shapes of each molecule, so that there is something to learn beyond the closed form.
    data = [np.concatenate([shaken(m, 60, 0.002), shaken(m, 60, 0.006)]).astype(np.float32) for m in systems]
    frames = [Frames(m, x, np.zeros(len(x))) for m, x in zip(systems, data, strict=True)]
    root = tmp_path_factory.mktemp("fit")

    def run(folder, progress=None, steps=12):
        options = {"width": 16, "heads": 2, "chemistry_layers": 2, "torsion_components": 4}
        torch.manual_seed(0)  # noqa: TID251 - as the pipeline does
        model = Autoregressive(Autoregressive.adapt(AutoregressiveConfig(**options), systems))
        model.fit_constants(systems, data)
        settings = TrainingSettings(
            steps=steps, batch_size=16, learning_rate=5e-3, warmup_steps=2, checkpoint_every=4, log_every=6
        )
        trainer = Trainer(settings, 1, root / folder, torch.device("cpu"))
        objective = MaximumLikelihood(MaximumLikelihoodConfig())
        average = trainer.fit(model, objective, TrainingData(frames), None, progress or NullProgress())
        losses = [float(line.split(",")[1]) for line in (root / folder / LOG).read_text().splitlines()[1:]]
        return average.tensors, model.state_dict(), losses

    return run


def test_it_goes_on_to_the_bit_where_it_was_stopped(fit):
    whole = fit("whole")
    for stop in (5, 9):  # after the states of steps 4 and 8
        with pytest.raises(KeyboardInterrupt):
            fit("parts", Stops(stop))
    parts = fit("parts")
    for a, b in zip(whole[:2], parts[:2], strict=True):
        assert all(torch.equal(a[k], b[k]) for k in a)


def test_it_learns(fit):
    *_, losses = fit("long", steps=60)
    assert losses[-1] < losses[0] - 0.05  # nats per degree of freedom


@pytest.fixture(scope="module")
def tune(molecule, tmp_path_factory):
    """The shipped model trained for two steps more on what it draws of a molecule: before and after, as checkpoints."""

    def run(name):
        folder = tmp_path_factory.mktemp("tune")
        shipped = Checkpoint.open(Path(str(files("tbg_autoregressive"))) / "checkpoints" / "dipeptides")
        energy = {"name": "openmm", "preset": "amber14-obc1-310K"}
        config = resolve(make_config({"system": name, "energy": energy}), needs=("energy",))
        model, system = loaded(shipped), molecule(name)
        keys = SampleKeys.range(1, system.key, 0, 64)
        drawn = ImportanceSampler(ImportanceSamplerConfig()).sample_block(model, bind_target(config, system), keys)
        drawn.save(folder / "drawn" / name)
        write_json(folder / "drawn" / name / "provenance.json", {"energy": "openmm"})
        settings = {"steps": 2, "batch_size": 8, "warmup_steps": 1}
        config = resolve(make_config({"model": "autoregressive", "training": settings}), needs=("model", "objective"))
        where = {"resume": False, "device": "cpu", "checkpoint": shipped.folder, "progress": NullProgress()}
        return shipped, Checkpoint.open(train(config, [folder / "drawn"], folder / "tuned", **where))

    return run


def loaded(checkpoint):
    options = {k: v for k, v in checkpoint.model.items() if k not in {"name", "prior"}}
    model = Autoregressive(AutoregressiveConfig(**options))
    checkpoint.load_into(model)
    return model


def test_the_shipped_model_is_trained_on_what_it_drew(tune):
    """On one molecule of the many that its table of predictions was fitted for, which it keeps."""
    shipped, tuned = tune("GG")
    assert tuned.model == shipped.model
    before, after = (load_file(c.folder / WEIGHTS) for c in (shipped, tuned))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not [name for name in changed if name.startswith("predictions")]


def test_predictions_of_further_molecules_are_added_to_those_of_a_trained_model(tune, molecule):
    shipped, tuned = tune("ACE-ALA-NME")
    assert tuned.model["rows"] > shipped.model["rows"]
    before, after = loaded(shipped), loaded(tuned)
    assert before.coverage(molecule("ACE-ALA-NME")) < after.coverage(molecule("ACE-ALA-NME")) == 1.0
    old, new = (model.predictions.plan(model.topology(molecule("AL"))) for model in (before, after))
    for name in ("matrix", "square", "intercept", "scale"):
        assert torch.equal(getattr(old, name), getattr(new, name))
