"""The loop, its schedule and its averages; what an interruption changes, which is nothing."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file

from tbg_core.datasets import load_data
from tbg_core.errors import CheckpointError, NumericalError
from tbg_core.pipeline.components import adapt_model, build_objective, build_proposal
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.train import train
from tbg_core.storage.checkpoint import Checkpoint
from tbg_core.training.data import TrainingData
from tbg_core.training.ema import WeightAverage
from tbg_core.training.schedule import learning_rate
from tbg_core.training.state import FILE
from tbg_core.training.trainer import LOG, Trainer


class StopsAt(NullProgress):
    """Interrupts the job when a number of steps is done, as Ctrl-C would."""

    def __init__(self, step):
        self.step = step

    @contextmanager
    def stage(self, name, *, total=None, unit=""):
        yield self

    def advance(self, n=1, *, note=""):
        self.step -= n
        if self.step < 0:
            raise KeyboardInterrupt


@pytest.fixture
def fit(tiny, tiny_run, tmp_path):
    """Trains the tiny model in a folder; returns averaged weights, last weights and the log without its times."""

    def run(folder, progress=None, objective="flow-matching", **training):
        config = tiny(training=training, objective=objective)
        frames, held_out = load_data(tiny_run.simulation)[0].split(0.1)
        torch.manual_seed(0)  # noqa: TID251 - as the pipeline does
        proposal = build_proposal(adapt_model(config, [frames.system]), config)
        proposal.prepare_training(torch.from_numpy(frames.positions[:]))
        trainer = Trainer(config.training, config.seed, tmp_path / folder, "cpu")
        data = (TrainingData([frames]), TrainingData([held_out]))
        average = trainer.fit(proposal, build_objective(config), *data, progress or NullProgress())
        lines = (tmp_path / folder / LOG).read_text().splitlines()
        return average.tensors, dict(proposal.state_dict()), [line.split(",")[:3] for line in lines]

    run.folder = tmp_path
    return run


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_an_interrupted_training_ends_as_an_uninterrupted_one(fit):
    whole = fit("whole")
    for stop in (0, 2, 5, 6, 11):  # before the first state, and after states at steps 5 and 10
        with pytest.raises(KeyboardInterrupt):
            fit("parts", StopsAt(stop))
    parts = fit("parts")
    assert same(parts[0], whole[0])
    assert same(parts[1], whole[1])
    # Lines that average over steps before the resumed state can differ in the loss; none is missing or double.
    assert [line[0] for line in parts[2]] == [line[0] for line in whole[2]] == ["step", "3", "6", "9", "12"]
    assert parts[2][-1] == whole[2][-1]
    assert not same(whole[0], whole[1])


def test_a_finished_training_is_not_continued(fit):
    first = fit("done")
    again = fit("done", StopsAt(12))  # one more step would raise
    assert same(first[0], again[0])
    assert first[2] == again[2]


def test_steps_reduce_the_loss(fit):
    *_, log = fit("long", steps=400, batch_size=64, log_every=100, checkpoint_every=400, learning_rate=3e-3)
    losses = [float(line[1]) for line in log[1:]]
    held_out = [float(line[2]) for line in log[1:]]
    assert losses[-1] < 0.9 * losses[0]
    assert held_out[-1] < held_out[0]


def test_a_loss_that_is_not_finite_ends_the_job_and_keeps_the_last_state(fit):
    with pytest.raises(NumericalError, match=r"training loss became .* at step") as caught:
        fit("broken", steps=50, checkpoint_every=1, learning_rate=1e30, warmup_steps=3, gradient_clip=1e30)
    assert "learning_rate" in caught.value.fix
    state = load_file(fit.folder / "broken" / FILE)
    assert int(state["step"]) >= 1


def test_a_state_of_another_model_is_refused(fit, tiny, tiny_run, tmp_path):
    fit("here")
    other = tiny(model={"name": "mlp", "width": 16})
    frames = load_data(tiny_run.simulation)[0]
    proposal = build_proposal(adapt_model(other, [frames.system]), other)
    trainer = Trainer(other.training, other.seed, tmp_path / "here", "cpu")
    with pytest.raises(CheckpointError, match="of another model"):
        trainer.fit(proposal, build_objective(other), TrainingData([frames]), None, NullProgress())
    path = tmp_path / "here" / FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        fit("here")


def test_the_checkpoint_holds_the_averaged_weights_and_where_they_come_from(tiny, tiny_run):
    opened = Checkpoint.open(tiny_run.checkpoint)
    state = load_file(tiny_run.checkpoint.parent / FILE)
    weights = load_file(tiny_run.checkpoint / "model.safetensors")
    average = {k.removeprefix("average/"): v for k, v in state.items() if k.startswith("average/")}
    assert same(weights, average)
    frames = load_data(tiny_run.simulation)[0]
    assert opened.molecules == {frames.system.key}
    assert opened.manifest["data"]["energy"] == "double-well"
    assert opened.manifest["data"]["frames"] == 60
    assert opened.manifest["data"]["temperature_K"] == 300.0
    assert opened.manifest["parameters"] == sum(v.numel() for k, v in weights.items() if "length_scale" not in k)
    assert opened.model["field"]["width"] == 8
    assert "integrator" not in opened.model
    assert opened.describe().startswith(f"mlp from the prior gaussian, {opened.manifest['parameters']:,} parameters")
    assert "trained on 60 frames of" in opened.describe()


def test_several_folders_of_one_system_are_joined_and_their_walkers_stay_apart(tiny, tiny_run, tmp_path):
    folders = [tiny_run.simulation, tiny_run.simulation]
    checkpoint = train(tiny(), folders, tmp_path / "t", resume=False, device="cpu", progress=NullProgress())
    assert Checkpoint.open(checkpoint).manifest["data"]["frames"] == 120
    assert len(Checkpoint.open(checkpoint).manifest["systems"]) == 1


def test_the_schedule_warms_up_and_comes_down():
    rates = [learning_rate(s, steps=100, warmup=10, peak=1e-2, final=1e-4) for s in range(101)]
    assert rates[:10] == pytest.approx([1e-3 * (s + 1) for s in range(10)])
    assert max(rates) == rates[9] == rates[10] == pytest.approx(1e-2)
    assert rates[55] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[100] == pytest.approx(1e-4)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(0, steps=5, warmup=0, peak=1.0, final=0.5) == 1.0
    assert learning_rate(2, steps=2, warmup=10, peak=1.0, final=0.0) == pytest.approx(0.3)  # steps end in the warm-up


def test_the_average_follows_its_recurrence():
    module = torch.nn.BatchNorm1d(1, affine=True, dtype=torch.float64)
    average = WeightAverage(module, decay=0.5)
    expected = 1.0  # where it begins
    for step in range(1, 12):
        with torch.no_grad():
            module.weight.fill_(float(step) ** 2)
        module.num_batches_tracked += 1
        average.update(module, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step**2
        assert float(average.tensors["weight"]) == pytest.approx(expected, rel=1e-12)
    assert int(average.tensors["num_batches_tracked"]) == 11  # counted, not averaged
    assert average.tensors["weight"].data_ptr() != module.weight.data_ptr()


def test_no_decay_keeps_the_latest_weights():
    module = torch.nn.Linear(2, 2)
    average = WeightAverage(module, decay=0.0)
    with torch.no_grad():
        module.weight.fill_(3.0)
    average.update(module, 1)
    assert torch.equal(average.tensors["weight"], module.weight)
