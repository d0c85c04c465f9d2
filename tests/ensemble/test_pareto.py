"""The tail fit against tails whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tbg_core.ensemble.pareto import (
    MIN_TAIL,
    fit_generalised_pareto,
    pareto_k,
    pareto_smooth,
    tail_length,
)


@pytest.mark.parametrize("k", [-0.3, 0.1, 0.5, 0.7, 1.0, 1.5])
def test_fit_recovers_shape_and_scale(k):
    x = stats.genpareto.rvs(k, scale=2.5, size=4000, random_state=np.random.default_rng(1))
    shape, scale = fit_generalised_pareto(x)
    # Asymptotic standard error of the shape is (1 + k) / sqrt(n) = 0.016 (1 + k).
    assert shape == pytest.approx(k, abs=4.0 * (1.0 + max(k, 0.0)) / np.sqrt(4000))
    assert scale == pytest.approx(2.5, rel=0.15)


@pytest.mark.parametrize("k", [0.2, 0.5, 0.9])
def test_k_hat_of_weights_with_a_pareto_tail(k):
    # w = U^{-k} has P(w > y) = y^{-1/k}: exactly a tail of shape k.
    estimates = [pareto_k(-k * np.log(np.random.default_rng([5, i]).random(5000))) for i in range(20)]
    # Shrinkage towards 0.5 by the weak prior moves the mean by at most 10 / (212 + 10) of the distance.
    expected = (212 * k + 5.0) / 222
    assert np.mean(estimates) == pytest.approx(expected, abs=0.06)


def test_k_hat_of_gaussian_proposals():
    # Target N(0, 1), proposal N(0, s^2). Too narrow: a tail of shape 1 - s^2 (and a logarithm). Too wide: the
    # weights are bounded, and P(w > max - e) ~ sqrt(e) is a tail of shape -2.
    rng = np.random.default_rng(3)
    for width, low, high in [(0.4, 0.7, 1.0), (1.3, -2.3, -1.6)]:
        x = rng.normal(scale=width, size=20000)
        k = pareto_k(-0.5 * x * x * (1.0 - 1.0 / width**2))
        assert low < k < high


def test_k_hat_ignores_scale_and_order():
    log_w = np.random.default_rng(4).normal(size=3000) * 1.5
    k = pareto_k(log_w)
    assert pareto_k(log_w[::-1] + 3.5e4) == pytest.approx(k, abs=1e-6)


def test_smoothing_changes_the_tail_only_and_never_exceeds_the_largest_weight():
    log_w = np.random.default_rng(5).normal(size=2000) * 3.0
    smoothed = pareto_smooth(log_w).log_weights
    m = tail_length(2000)
    order = np.argsort(log_w)
    np.testing.assert_array_equal(smoothed[order[:-m]], log_w[order[:-m]])
    assert smoothed.max() <= log_w.max() + 1e-12
    assert np.all(np.diff(smoothed[order[-m:]]) >= -1e-12)
    assert not np.allclose(smoothed[order[-m:]], log_w[order[-m:]])


def test_smoothed_average_is_closer_where_the_tail_is_heavy():
    # w = U^{-0.8}: mean 1 / (1 - 0.8) = 5, infinite variance.
    raw, smooth = [], []
    for i in range(200):
        log_w = -0.8 * np.log(np.random.default_rng([6, i]).random(500))
        raw.append(np.exp(log_w).mean())
        smooth.append(np.exp(pareto_smooth(log_w).log_weights).mean())
    assert np.std(smooth) < np.std(raw)


def test_too_few_or_equal_weights():
    assert pareto_k(np.zeros(MIN_TAIL)) == np.inf
    assert pareto_k(np.full(100, -np.inf)) == np.inf
    assert pareto_k(np.array([0.0, *[-np.inf] * 500])) == np.inf
    assert pareto_k(np.zeros(200)) == 0.0


def test_many_tied_weights_still_give_a_number():
    log_w = np.zeros(400)
    log_w[:3] = [1.0, 2.0, 3.0]
    assert np.isfinite(pareto_k(log_w))
