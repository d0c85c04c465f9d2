"""Intervals of ratios: exact properties, groups, and coverage where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.ensemble.bootstrap import MAX_GROUPS, ratio_intervals
from tbg_core.ensemble.chains import autocorrelation_time, independent_blocks
from tbg_core.randomness import generator


def test_mean_of_normal_numbers_has_the_known_error():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(400, 1))
    r = ratio_intervals(x, np.ones((400, 1)), generator(1, "test"))
    assert r.value[0] == pytest.approx(x.mean())
    assert r.error[0] == pytest.approx(x.std() / 20.0, rel=1e-9)
    # Student's t with many degrees of freedom: 1.645 standard errors either side.
    assert r.high[0] - r.low[0] == pytest.approx(2 * 1.645 * r.error[0], rel=0.15)
    assert r.low[0] < r.value[0] < r.high[0]


def test_columns_are_independent_of_each_other_and_of_the_run():
    x = np.random.default_rng(0).random((300, 3))
    one = ratio_intervals(x, np.ones((300, 1)), generator(1, "test"))
    again = ratio_intervals(x, np.ones((300, 1)), generator(1, "test"))
    last = ratio_intervals(x[:, 2:], np.ones((300, 1)), generator(1, "test"))
    np.testing.assert_array_equal(one.low, again.low)
    np.testing.assert_allclose(one.low[2], last.low[0])


def test_logarithm_mirrors_the_ratio_turned_over():
    rng = np.random.default_rng(2)
    a, b = rng.random((200, 1)), rng.random((200, 1))
    forward = ratio_intervals(a, b, generator(1, "test"), log=True)
    backward = ratio_intervals(b, a, generator(1, "test"), log=True)
    assert forward.value[0] == pytest.approx(-backward.value[0])
    assert forward.low[0] == pytest.approx(-backward.high[0])


def test_constant_is_exact():
    r = ratio_intervals(np.full((50, 1), 2.0), np.ones((50, 1)), generator(1, "test"))
    assert (r.low[0], r.value[0], r.high[0], r.error[0]) == (2.0, 2.0, 2.0, 0.0)


def test_a_region_seen_once_has_no_interval():
    a = np.zeros((100, 1))
    a[3] = 1.0
    r = ratio_intervals(a, np.ones((100, 1)), generator(1, "test"), log=True)
    assert np.isfinite(r.value[0])
    assert np.isnan(r.low[0])
    assert np.isnan(r.high[0])


def test_empty_region():
    r = ratio_intervals(np.zeros((100, 1)), np.ones((100, 1)), generator(1, "test"), log=True)
    assert r.value[0] == -np.inf
    assert np.isnan(r.low[0])


def test_repeating_every_row_gains_nothing_when_groups_say_so():
    x = np.random.default_rng(3).normal(size=(200, 1))
    once = ratio_intervals(x, np.ones((200, 1)), generator(1, "test"))
    copies = np.repeat(x, 7, axis=0)
    grouped = ratio_intervals(copies, np.ones((1400, 1)), generator(1, "test"), groups=np.repeat(np.arange(200), 7))
    naive = ratio_intervals(copies, np.ones((1400, 1)), generator(1, "test"))
    assert grouped.error[0] == pytest.approx(once.error[0])
    assert grouped.low[0] == pytest.approx(once.low[0])
    assert naive.error[0] == pytest.approx(once.error[0] / np.sqrt(7.0))


def test_many_rows_are_summed_first_without_changing_the_error():
    n = 3 * MAX_GROUPS
    x = np.random.default_rng(4).exponential(size=(n, 1))
    r = ratio_intervals(x, np.ones((n, 1)), generator(1, "test"), replicates=200)
    assert r.value[0] == pytest.approx(x.mean())
    assert r.error[0] == pytest.approx(1.0 / np.sqrt(n), rel=0.05)


def _autoregressive(n, phi, seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n)
    x = np.empty(n)
    x[0] = noise[0] / np.sqrt(1.0 - phi**2)
    for i in range(1, n):
        x[i] = phi * x[i - 1] + noise[i]
    return x


def test_autocorrelation_time_of_an_autoregressive_chain():
    # rho(t) = phi^t: tau = (1 + phi) / (1 - phi).
    taus = [autocorrelation_time(_autoregressive(20000, 0.9, i)) for i in range(5)]
    assert np.mean(taus) == pytest.approx(19.0, rel=0.15)
    assert autocorrelation_time(np.random.default_rng(0).normal(size=5000)) == pytest.approx(1.0, abs=0.2)
    assert autocorrelation_time(np.ones(50)) == 1.0


@pytest.mark.statistical
def test_blocks_make_the_error_of_a_chain_right():
    # Variance of the mean of n frames: sigma^2 tau / n, sigma^2 = 1 / (1 - phi^2). False alarms: below 1e-3.
    n, phi, hits, errors = 4000, 0.9, 0, []
    walker = np.repeat([0, 1, 2, 3], n // 4)
    for i in range(60):
        x = np.concatenate([_autoregressive(n // 4, phi, [i, w]) for w in range(4)])
        groups = independent_blocks(walker, x)
        r = ratio_intervals(x[:, None], np.ones((n, 1)), generator(i, "chain"), groups=groups, replicates=400)
        errors.append(r.error[0])
        hits += r.low[0] <= 0.0 <= r.high[0]
    true = np.sqrt(19.0 / (1.0 - phi**2) / n)
    assert np.mean(errors) == pytest.approx(true, rel=0.12)
    assert hits >= 44  # of 60 at 90 %: fewer than 44 has probability 3e-5


def test_walkers_that_never_mix_are_one_block_each():
    # Eight walkers, each in its own well: their 4000 frames tell eight things, not thousands.
    rng = np.random.default_rng(0)
    walker = np.repeat(np.arange(8), 500)
    well = np.array([-1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0])[walker]
    x = well + 0.1 * rng.normal(size=4000)
    labels = independent_blocks(walker, x)
    np.testing.assert_array_equal(labels, walker)
    r = ratio_intervals(x[:, None], np.ones((4000, 1)), generator(1, "chain"), groups=labels)
    # Binomial: sd of the mean of eight values of +-1 with share 1/4 is 2 sqrt(3/16 / 8).
    assert r.error[0] == pytest.approx(2.0 * np.sqrt(3.0 / 16.0 / 8.0), rel=0.05)


def test_blocks_do_not_cross_walkers_and_follow_time():
    walker = np.repeat([0, 1, 2], 100)
    labels = independent_blocks(walker, np.random.default_rng(0).normal(size=300))
    for w in range(3):
        own = labels[walker == w]
        assert np.all(np.diff(own) >= 0)
        assert not set(own) & set(labels[walker != w])
    assert len(np.unique(labels)) >= 10
