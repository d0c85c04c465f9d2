"""Resampling and schedules."""

from __future__ import annotations

import numpy as np

from tbg_core.samplers.pilot import Tuning
from tbg_core.samplers.resampling import evenness, log_mean, next_temperature, systematic


def test_systematic_resampling_draws_each_row_as_often_as_its_weight_says():
    w = np.array([0.05, 0.0, 0.55, 0.1, 0.3])
    with np.errstate(divide="ignore"):
        log_w = np.log(w) + 700.0
    rng = np.random.default_rng(0)
    counts = np.array([np.bincount(systematic(log_w, 7, rng), minlength=5) for _ in range(4000)])
    assert (counts.sum(axis=1) == 7).all()
    assert (counts >= np.floor(7 * w)).all()
    assert (counts <= np.ceil(7 * w)).all()
    # A fraction between two integers has a standard deviation of at most 0.5: five errors of 4000 draws are 0.04.
    np.testing.assert_allclose(counts.mean(axis=0), 7 * w, atol=0.04)


def test_any_part_of_what_was_drawn_stands_for_the_whole():
    log_w, rng = np.log([0.7, 0.2, 0.1]), np.random.default_rng(1)
    first = np.array([systematic(log_w, 10, rng)[0] for _ in range(4000)])
    np.testing.assert_allclose(np.bincount(first) / 4000, [0.7, 0.2, 0.1], atol=0.04)


def test_the_next_temperature_leaves_weights_as_even_as_wanted():
    log_ratio = np.random.default_rng(2).normal(scale=3.0, size=500)
    t = next_temperature(log_ratio, 0.2, 0.9)
    assert 0.2 < t < 1.0
    assert abs(evenness((t - 0.2) * log_ratio) - 0.9) < 1e-6
    assert next_temperature(0.01 * log_ratio, 0.2, 0.9) == 1.0
    # One particle of no weight at all: a step is taken all the same.
    assert next_temperature(np.array([0.0, 1e9]), 0.2, 0.9) > 0.2


def test_schedules_end_at_one_and_follow_the_knots():
    tuning = Tuning(t=(0.1, 0.4, 1.0), step=(0.1, 0.2, 0.4), scale=(1.0,))
    assert tuning.schedule(3) == [0.1, 0.4, 1.0]
    assert tuning.schedule(1) == [1.0]
    np.testing.assert_allclose(tuning.schedule(6), [0.05, 0.1, 0.25, 0.4, 0.7, 1.0])
    assert tuning.schedule(7)[-1] == 1.0
    assert Tuning.from_dict(tuning.to_dict()) == tuning
    assert not tuning.narrow
    assert Tuning(t=(0.1, 1.0), step=(0.1, 0.5), scale=(1.0,)).narrow
    assert abs(tuning.kernel(0.4, 3, (2,)).step - 0.2) < 1e-12
    assert tuning.kernel(0.4, 3, (5, 3)).scale.shape == (1, 1)


def test_the_mean_weight_counts_rows_that_have_none():
    assert abs(log_mean(np.log([2.0, 4.0]) + 1000.0, 3) - 1000.0 - np.log(2.0)) < 1e-12
    assert log_mean(np.full(3, -np.inf), 3) == -np.inf
