"""The training loop; what an interruption changes, which is nothing."""

from __future__ import annotations

from contextlib import contextmanager, suppress

import pytest
import torch
from safetensors.torch import load_file

from tbg_core.config.settings import TrainingSettings
from tbg_core.contracts.objective import Objective
from tbg_core.datasets import load_data
from tbg_core.errors import CheckpointError, ConfigError, NumericalError, OffSupportError, StorageError
from tbg_core.objectives.flow_matching import FlowMatching
from tbg_core.pipeline.components import adapt_model, build_objective, build_proposal
from tbg_core.pipeline.folder import open_folder
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.train import train
from tbg_core.storage.checkpoint import Checkpoint
from tbg_core.training.data import TrainingData
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

    def run(folder, progress=None, objective="flow-matching", devices=1, **training):
        named = isinstance(objective, str)
        config = tiny(training=training, **({"objective": objective} if named else {}))
        frames, held_out = load_data(tiny_run.simulation)[0].split(0.1)
        torch.manual_seed(0)  # noqa: TID251 - as the pipeline does
        proposal = build_proposal(adapt_model(config, [frames.system]), config)
        proposal.prepare_training(torch.from_numpy(frames.positions[:]))
        trainer = Trainer(config.training, config.seed, tmp_path / folder, torch.device("cpu"), devices)
        data = (TrainingData([frames]), TrainingData([held_out]))
        loss = build_objective(config) if named else objective
        average = trainer.fit(proposal, loss, *data, progress or NullProgress())
        lines = (tmp_path / folder / LOG).read_text().splitlines()
        return average.tensors, dict(proposal.state_dict()), [line.split(",")[:3] for line in lines]

    run.folder = tmp_path
    return run


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


DECAYING = {"weight_decay": 0.1, "schedule": "step", "drops": [0.25, 0.5, 0.75], "gradient_clip": None}


@pytest.mark.parametrize("training", [{}, DECAYING, {"weight_decay": 0.1, "schedule": "one-cycle"}])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(fit, training):
    whole = fit("whole", **training)
    for stop in (0, 2, 5, 6, 11):  # before the first state, and after states at steps 5 and 10
        with pytest.raises(KeyboardInterrupt):
            fit("parts", StopsAt(stop), **training)
    parts = fit("parts", **training)
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


def test_a_batch_in_parts_has_the_gradient_of_the_whole(fit):
    # A loss without noise of its own, which would be drawn part by part: both do the same but for rounding.
    settings = {"steps": 3, "batch_size": 10, "gradient_clip": None}
    whole = fit("whole", objective="maximum-likelihood", **settings)
    parts = fit("parts", objective="maximum-likelihood", rows_at_once=4, **settings)
    assert [float(line[1]) for line in parts[2][1:]] == pytest.approx(
        [float(line[1]) for line in whole[2][1:]], rel=1e-5
    )
    for name, value in whole[1].items():
        assert torch.allclose(parts[1][name], value, rtol=1e-3, atol=1e-6), name


class Notes(NullProgress):
    """Counts steps."""

    steps = 0

    @contextmanager
    def stage(self, name, *, total=None, unit=""):
        yield self

    def advance(self, n=1, *, note=""):
        self.steps += n


def test_two_processes_train_as_one_does(fit):
    settings = {"objective": "maximum-likelihood", "steps": 4, "batch_size": 9, "log_every": 2}
    one, notes = fit("one", **settings), Notes()
    two = fit("two", notes, devices=2, **settings)
    assert notes.steps == 4
    assert [line[0] for line in two[2]] == [line[0] for line in one[2]] == ["step", "2", "4"]
    assert [float(line[1]) for line in two[2][1:]] == pytest.approx([float(line[1]) for line in one[2][1:]], rel=1e-5)
    for k in (0, 1):  # averaged and last weights
        for name, value in one[k].items():
            assert torch.allclose(two[k][name], value, rtol=1e-3, atol=1e-6), name


def test_an_error_in_several_processes_is_the_one_that_it_is_in_one(fit):
    with pytest.raises(NumericalError, match=r"training loss became .* at step"):
        fit("two", devices=2, learning_rate=1e30, gradient_clip=None)


def test_a_loss_that_is_not_finite_ends_the_job_and_keeps_the_last_state(fit):
    with pytest.raises(NumericalError, match=r"training loss became .* at step") as caught:
        fit("broken", steps=50, checkpoint_every=1, learning_rate=1e30, warmup_steps=3, gradient_clip=1e30)
    assert "learning_rate" in caught.value.fix
    state = load_file(fit.folder / "broken" / FILE)
    assert int(state["step"]) >= 1


class _Slipping(Objective):
    """A loss that is finite at step 2 while its gradient is not, and rows that have no density."""

    def __init__(self, off_support=()):
        self.calls, self.off_support = 0, off_support

    def loss(self, proposal, x, batch, keys):
        self.calls += 1
        if set(keys.index.tolist()) <= set(self.off_support):
            raise OffSupportError("off the support.")
        total = sum(p.sum() for p in proposal.parameters())
        return (total - total.detach()).abs().sqrt() if self.calls == 2 else total**2


def test_a_gradient_that_is_not_finite_ends_the_job_before_the_step(fit):
    with pytest.raises(NumericalError, match=r"training gradient became .* at step 2") as caught:
        fit("broken", steps=2, checkpoint_every=1, objective=_Slipping())
    assert "new --out" in caught.value.fix
    state = load_file(fit.folder / "broken" / FILE)
    assert int(state["step"]) == 1
    assert all(torch.isfinite(v).all() for v in state.values())


def test_parts_of_a_batch_off_the_support_are_left_out(fit):
    settings = {"steps": 1, "batch_size": 8, "rows_at_once": 2}
    assert fit("some", objective=_Slipping(off_support=[2, 3]), **settings)[2][-1][0] == "1"
    with pytest.raises(OffSupportError):
        fit("none", objective=_Slipping(off_support=range(8)), **settings)


def test_more_devices_than_rows_are_refused(fit):
    with pytest.raises(ConfigError, match="no row for each of 3 devices"):
        fit("few", devices=3, batch_size=2)


def test_a_device_that_is_not_there_begins_no_folder(tiny, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"cuda:7.* not available"):
        train(tiny(), [tiny_run.simulation], tmp_path / "t", resume=False, device="cuda:7", progress=NullProgress())
    assert not (tmp_path / "t").exists()


def test_an_objective_is_closed_when_training_ends_or_fails(tiny, tiny_run, tmp_path, monkeypatch):
    closed = []

    def close(self):
        closed.append(self)

    monkeypatch.setattr(FlowMatching, "close", close)
    for name, progress in (("whole", NullProgress()), ("cut", StopsAt(2))):
        with suppress(KeyboardInterrupt):
            train(tiny(), [tiny_run.simulation], tmp_path / name, resume=False, device="cpu", progress=progress)
    assert len(closed) == 2


def test_a_state_of_another_model_is_refused(fit, tiny, tiny_run, tmp_path):
    fit("here")
    other = tiny(model={"name": "mlp", "width": 16})
    frames = load_data(tiny_run.simulation)[0]
    proposal = build_proposal(adapt_model(other, [frames.system]), other)
    trainer = Trainer(other.training, other.seed, tmp_path / "here", torch.device("cpu"))
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


def test_weights_decay_by_the_rate_and_beside_the_gradient(fit):
    start = fit("start", StopsAt(1), steps=1, learning_rate=1e-12, warmup_steps=0)[1]
    one = {"steps": 1, "learning_rate": 0.01, "warmup_steps": 0}
    plain, decayed = (fit(f"decay-{d}", weight_decay=d, **one)[1] for d in (0.0, 0.5))
    moved = False
    for name, weight in start.items():
        if "length_scale" not in name:
            torch.testing.assert_close(decayed[name] - plain[name], -0.01 * 0.5 * weight, rtol=1e-3, atol=1e-7)
            moved |= bool((weight != 0).any())
    assert moved


def test_a_gradient_is_clipped_or_not(fit):
    """Adam does not see the scale of a gradient but against its 1e-8: a clip at 1e-12 all but stops the weights."""
    one = {"steps": 1, "learning_rate": 0.01, "warmup_steps": 0}
    start = fit("start", steps=1, learning_rate=1e-12, warmup_steps=0)[1]
    moved = {}
    for clip in (None, 1e-12):
        now = fit(f"clip-{clip}", gradient_clip=clip, **one)[1]
        moved[clip] = max(float((now[k] - start[k]).abs().max()) for k in start if "length_scale" not in k)
    assert moved[None] == pytest.approx(0.01, rel=0.01)
    assert moved[1e-12] < 1e-5


def test_a_job_of_before_a_setting_existed_is_resumed(tmp_path):
    settings = TrainingSettings(steps=7).model_dump(mode="json")
    before = {k: v for k, v in settings.items() if k not in {"schedule", "drops", "drop_factor", "weight_decay"}}
    open_folder(tmp_path / "job", {"training": before, "seed": 0}, resume=False)
    open_folder(tmp_path / "job", {"training": settings, "seed": 0, "recipe": None}, resume=True)
    with pytest.raises(StorageError, match=r"training\.schedule: was 'cosine', now 'step'"):
        open_folder(tmp_path / "job", {"training": {**settings, "schedule": "step"}, "seed": 0}, resume=True)
