"""Rates over a training, and averages of its weights."""

from __future__ import annotations

import pytest
import torch

from tbg_core.config.settings import TrainingSettings
from tbg_core.training.ema import WeightAverage
from tbg_core.training.schedule import learning_rate, scheduled_rate


def test_the_schedule_warms_up_and_comes_down():
    rates = [learning_rate(s, steps=100, warmup=10, peak=1e-2, final=1e-4) for s in range(101)]
    assert rates[:10] == pytest.approx([1e-3 * (s + 1) for s in range(10)])
    assert max(rates) == rates[9] == rates[10] == pytest.approx(1e-2)
    assert rates[55] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[100] == pytest.approx(1e-4)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert learning_rate(0, steps=5, warmup=0, peak=1.0, final=0.5) == 1.0
    assert learning_rate(2, steps=2, warmup=10, peak=1.0, final=0.0) == pytest.approx(0.3)  # steps end in the warm-up


def test_the_rate_drops_at_shares_of_the_run():
    paper = TrainingSettings(
        steps=12, schedule="step", drops=(1 / 3, 2 / 3), learning_rate=5e-4, warmup_steps=0, final_learning_rate=1.0
    )
    rates = [scheduled_rate(step, paper) for step in range(12)]
    assert rates == pytest.approx([5e-4] * 4 + [5e-5] * 4 + [5e-6] * 4)
    warmed = paper.model_copy(update={"steps": 1200, "warmup_steps": 10, "drop_factor": 0.5})
    expected = {0: 0.1, 4: 0.5, 9: 1.0, 399: 1.0, 400: 0.5, 799: 0.5, 800: 0.25, 1199: 0.25}
    assert {s: scheduled_rate(s, warmed) / 5e-4 for s in expected} == pytest.approx(expected)


@pytest.mark.parametrize(("steps", "share"), [(200, 0.05), (40, 0.5), (100, 0.3)])
def test_one_cycle_is_that_of_torch(steps, share):
    ours = TrainingSettings(
        steps=steps, schedule="one-cycle", learning_rate=5e-4, final_learning_rate=1e-6, warmup_steps=share
    )
    assert ours.warmup == share * steps
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 5e-4, total_steps=steps, pct_start=share, div_factor=500, final_div_factor=1
    )
    for step in range(steps):
        assert scheduled_rate(step, ours) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        if step < steps - 1:
            optimizer.step()
            theirs.step()
    assert scheduled_rate(steps - 1, ours) == pytest.approx(1e-6)
    none = ours.model_copy(update={"warmup_steps": 0})
    assert scheduled_rate(0, none) < 5e-4 < scheduled_rate(0, none) * 1.1  # no warm-up, and no division by zero
    assert scheduled_rate(0, ours.model_copy(update={"warmup_steps": 1})) == pytest.approx(5e-4)


def test_the_default_schedule_is_the_cosine():
    settings = TrainingSettings()
    for step in (0, 199, 200, 2100, 3999):
        expected = learning_rate(step, steps=4000, warmup=200, peak=2e-3, final=1e-5)
        assert scheduled_rate(step, settings) == expected


@pytest.mark.parametrize(("given", "kept"), [(0.05, 0.05), (5, 5), (5.0, 5), (0, 0), (1.0, 1)])
def test_a_warm_up_is_counted_or_a_share(given, kept):
    settings = TrainingSettings(warmup_steps=given, steps=1000)
    assert settings.warmup_steps == kept
    assert type(settings.warmup_steps) is type(kept)
    assert settings.warmup == (50 if given == 0.05 else kept)


@pytest.mark.parametrize("wrong", [1.5, -1, -0.1, "many"])
def test_no_other_warm_up(wrong):
    with pytest.raises(ValueError, match="warmup_steps"):
        TrainingSettings(warmup_steps=wrong)


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


def test_buffers_are_copied_though_they_may_not_be_numbers():
    module = torch.nn.Linear(2, 2)
    module.register_buffer("allowed", torch.tensor([0.0, -torch.inf]))
    average = WeightAverage(module, decay=0.9)
    average.update(module, 1)
    assert torch.equal(average.tensors["allowed"], module.allowed)


def test_no_decay_keeps_the_latest_weights():
    module = torch.nn.Linear(2, 2)
    average = WeightAverage(module, decay=0.0)
    with torch.no_grad():
        module.weight.fill_(3.0)
    average.update(module, 1)
    assert torch.equal(average.tensors["weight"], module.weight)
