"""Kish ESS, log Z and the summary of weights, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.ensemble import weights


def test_equal_weights_are_worth_their_number():
    assert weights.kish_ess(np.full(40, -3.5e4)) == pytest.approx(40.0)


def test_invalid_samples_count_as_attempted():
    log_w = np.array([0.0, 0.0, -np.inf, -np.inf])
    assert weights.kish_ess(log_w) == pytest.approx(2.0)
    assert weights.log_mean_weight(log_w) == pytest.approx(np.log(0.5))
    assert weights.summarise(log_w).ess_fraction == pytest.approx(0.5)


def test_ess_by_hand():
    # w = 1, 2, 3: (6)^2 / 14
    assert weights.kish_ess(np.log([1.0, 2.0, 3.0]) + 700.0) == pytest.approx(36.0 / 14.0)


def test_shift_of_the_energy_scale_changes_nothing_but_log_z():
    log_w = np.random.default_rng(0).normal(size=500) * 2.0
    shifted = log_w + 3.5e4
    assert weights.kish_ess(shifted) == pytest.approx(weights.kish_ess(log_w), rel=1e-9)
    assert weights.log_mean_weight(shifted) == pytest.approx(weights.log_mean_weight(log_w) + 3.5e4)
    np.testing.assert_allclose(weights.normalised(shifted), weights.normalised(log_w), rtol=1e-9)


def test_all_invalid():
    log_w = np.full(5, -np.inf)
    assert weights.kish_ess(log_w) == 0.0
    assert weights.log_mean_weight(log_w) == -np.inf
    assert not weights.normalised(log_w).any()
    assert weights.summarise(log_w).samples_for_half == 0


def test_trimmed_ess_is_reported_beside_the_raw_one():
    log_w = np.zeros(1000)
    log_w[17] = np.log(1000.0)
    summary = weights.summarise(log_w)
    # Raw: (999 + 1000)^2 / (999 + 1e6); without the largest two of 1000: 998 equal weights.
    assert summary.ess == pytest.approx(1999.0**2 / 1000999.0)
    assert summary.ess_trimmed == pytest.approx(998.0)
    assert summary.largest[0] == pytest.approx(1000.0 / 1999.0)
    assert summary.samples_for_half == 1
    assert summary.half_ess[1] == pytest.approx(500.0)
    assert summary.half_log_z[1] == pytest.approx(0.0)
