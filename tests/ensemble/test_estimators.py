"""Averages, free energies and log Z of the double well against quadrature."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.errors import ConfigError
from tbg_core.units import thermal_energy


class Angle:
    """An observable with a period, as those of tbg_core.observables are."""

    name, unit, period = "angle", "degree", 360.0

    def __call__(self, positions):
        return positions[:, 0].astype(np.float64)


def test_estimates_agree_with_quadrature(double_well, x1):
    ensemble = double_well.ensemble(4000, seed=1)
    mean = ensemble.expectation(x1, unit="nm")
    assert mean.value == pytest.approx(double_well.mean, abs=4.0 * mean.error)
    assert mean.interval[0] < mean.value < mean.interval[1]
    assert mean.unit == "nm"
    z = ensemble.log_z
    assert z.value == pytest.approx(np.log(double_well.z), abs=4.0 * z.error)
    f = ensemble.free_energy(x1, (-6.0, 0.0), (0.0, 6.0))
    assert f.value == pytest.approx(double_well.difference, abs=4.0 * f.error)


def test_log_z_of_a_normalised_target_is_zero(make_ensemble):
    # Target N(0, 1) with normalised density, proposal N(0.3, 1.2^2), 30 % of the draws invalid in neither.
    rng = np.random.default_rng(2)
    x = rng.normal(0.3, 1.2, size=5000)
    log_q = -0.5 * ((x - 0.3) / 1.2) ** 2 - np.log(1.2 * np.sqrt(2 * np.pi))
    u = 0.5 * x * x + 0.5 * np.log(2 * np.pi)
    z = make_ensemble(x[:, None], log_q, u).log_z
    assert abs(z.value) < 4.0 * z.error
    assert z.error < 0.02


def test_invalid_samples_lower_log_z(make_ensemble):
    n = 2000
    valid = np.arange(n) % 4 != 0
    z = make_ensemble(np.zeros((n, 1)), np.zeros(n), np.zeros(n), valid).log_z
    assert z.value == pytest.approx(np.log(0.75))
    # Binomial: sd of log p is sqrt((1 - p) / (p n)).
    assert z.error == pytest.approx(np.sqrt(0.25 / 0.75 / n), rel=1e-6)


def test_profile_agrees_with_quadrature(double_well, x1):
    ensemble = double_well.ensemble(20000, seed=3)
    edges = np.linspace(-1.6, 1.6, 17)
    profile = ensemble.profile(x1, bins=edges)
    exact = double_well.free_energy(edges)
    shift = profile.free_energy - exact
    seen = np.isfinite(profile.error)
    # One constant is free: which bin is lowest. 16 bins at 4 sigma.
    deviation = (shift - np.average(shift[seen], weights=profile.error[seen] ** -2.0))[seen] / profile.error[seen]
    assert np.abs(deviation).max() < 4.0
    assert np.all(profile.low[seen] <= profile.free_energy[seen])
    assert np.all(profile.free_energy[seen] <= profile.high[seen])
    assert profile.free_energy.min() == 0.0


def test_default_bins_span_the_weighted_range_or_the_period(double_well, x1):
    ensemble = double_well.ensemble(2000, seed=4)
    profile = ensemble.profile(x1)
    assert -2.0 < profile.edges[0] < -1.1
    assert 1.0 < profile.edges[-1] < 2.0
    periodic = ensemble.profile(Angle(), bins=24)
    np.testing.assert_allclose(periodic.edges, np.linspace(-180.0, 180.0, 25))
    assert (periodic.name, periodic.unit, periodic.period) == ("angle", "degree", 360.0)


def test_units_of_free_energies(double_well, x1):
    ensemble = double_well.ensemble(1000, seed=5)
    reduced = ensemble.free_energy(x1, (-6.0, 0.0), (0.0, 6.0))
    molar = ensemble.free_energy(x1, (-6.0, 0.0), (0.0, 6.0), unit="kJ/mol")
    assert molar.value == pytest.approx(reduced.value * thermal_energy(300.0))
    assert molar.interval[1] == pytest.approx(reduced.interval[1] * thermal_energy(300.0))
    with pytest.raises(ConfigError, match="furlong"):
        ensemble.free_energy(x1, (-6.0, 0.0), (0.0, 6.0), unit="furlong")


def test_exchanging_the_regions_changes_the_sign(double_well, x1):
    ensemble = double_well.ensemble(1000, seed=5)
    forward = ensemble.free_energy(x1, (-6.0, 0.0), (0.0, 6.0))
    backward = ensemble.free_energy(x1, (0.0, 6.0), (-6.0, 0.0))
    assert forward.value == pytest.approx(-backward.value)
    assert forward.interval[0] == pytest.approx(-backward.interval[1])


def test_angles_are_averaged_around_the_circle(make_ensemble):
    rng = np.random.default_rng(0)
    angle = (180.0 + rng.normal(0.0, 10.0, size=500) + 180.0) % 360.0 - 180.0
    ensemble = make_ensemble(angle[:, None], np.zeros(500), np.zeros(500))
    estimate = ensemble.expectation(Angle())
    assert abs(abs(estimate.value) - 180.0) < 2.0
    assert estimate.error == pytest.approx(10.0 / np.sqrt(500), rel=0.1)


def test_regions_run_through_the_end_of_the_period(make_ensemble):
    angle = np.tile([-175.0, 175.0, 0.0, 90.0], 100)
    ensemble = make_ensemble(angle[:, None], np.zeros(400), np.zeros(400))
    f = ensemble.free_energy(Angle(), (-10.0, 10.0), (170.0, -170.0))
    assert f.value == pytest.approx(-np.log(2.0))


def test_thin_region_gets_a_value_and_no_interval(double_well, x1):
    ensemble = double_well.ensemble(2000, seed=6)
    x = x1(ensemble.positions)
    alone = float(x[np.argmin(np.abs(x - 1.0))])
    estimate = ensemble.free_energy(x1, (-6.0, 0.0), (alone, alone))
    assert np.isfinite(estimate.value)
    assert estimate.interval is None
    assert not estimate.reliable
    assert "too few effective samples" in estimate.reason
    empty = ensemble.free_energy(x1, (-6.0, 6.0), (50.0, 60.0))
    assert empty.value == np.inf
    assert empty.interval is None


def test_poor_ensembles_print_no_interval(double_well, x1):
    # A proposal that hardly reaches the right-hand well.
    ensemble = double_well.ensemble(300, seed=7, mean=-3.0, width=0.5)
    assert not ensemble.reliability.reliable
    assert ensemble.reliability.describe().startswith("NOT RELIABLE")
    assert ensemble.expectation(x1).interval is None
    assert ensemble.log_z.interval is None
    assert ensemble.free_energy(x1, (-6.0, -1.0), (-1.0, 6.0)).interval is None
    assert np.isnan(ensemble.profile(x1).low).all()
    assert "not reliable" in str(ensemble.expectation(x1))


def test_same_seed_same_interval_and_name_of_stream_matters(double_well, x1):
    ensemble = double_well.ensemble(500, seed=8)
    assert ensemble.expectation(x1, seed=3).interval == ensemble.expectation(x1, seed=3).interval
    assert ensemble.expectation(x1, seed=3).interval != ensemble.expectation(x1, seed=4).interval


def test_resampling_keeps_averages_verdict_and_honest_errors(double_well, x1):
    ensemble = double_well.ensemble(3000, seed=9)
    drawn = ensemble.resample(seed=1, n=5000)
    assert isinstance(drawn, Ensemble)
    assert np.ptp(drawn.log_weights) == 0.0
    np.testing.assert_array_equal(drawn.positions, ensemble.positions[drawn.parent])
    assert drawn.reliability == ensemble.reliability
    assert drawn.log_z.value == ensemble.log_z.value
    assert drawn.log_z.error == ensemble.log_z.error
    before, after = ensemble.expectation(x1), drawn.expectation(x1)
    assert after.value == pytest.approx(before.value, abs=0.2 * before.error)
    # 5000 rows, but no more independent than what they were drawn from.
    assert after.error == pytest.approx(before.error, rel=0.1)
    assert drawn.ess == pytest.approx(ensemble.ess, rel=0.1)


def test_resampling_is_keyed_by_the_seed(double_well):
    ensemble = double_well.ensemble(500, seed=10)
    np.testing.assert_array_equal(ensemble.resample(1, 50).parent, ensemble.resample(1, 50).parent)
    assert len(ensemble.resample(1)) == round(ensemble.ess)
    with pytest.raises(ValueError, match="cannot draw"):
        ensemble.resample(1, 0)


def test_filter_keeps_the_count(double_well, x1):
    ensemble = double_well.ensemble(2000, seed=11)
    kept = ensemble.filter(x1(ensemble.positions) < 0.0, "left well")
    assert kept.attempted == 2000
    assert kept.valid.sum() < 2000
    assert kept.metrics()["dropped_by_reason"] == {"filtered": int(2000 - kept.valid.sum())}
    assert kept.provenance["filters"] == [{"reason": "left well", "dropped": int(2000 - kept.valid.sum())}]
    left = double_well.integral(lambda x: 1.0, -6.0, 0.0)
    assert kept.log_z.value == pytest.approx(np.log(left), abs=4.0 * kept.log_z.error)
    assert kept.expectation(x1).value < -0.8


def test_another_target_for_the_same_draws(double_well, x1):
    ensemble = double_well.ensemble(4000, seed=12)
    steeper = type(double_well)(4.0, 1.0)
    moved = ensemble.with_energy(steeper.u(x1(ensemble.positions)), 310.0)
    assert moved.temperature_K == 310.0
    assert moved.log_z.value == pytest.approx(np.log(steeper.z), abs=4.0 * moved.log_z.error)


def test_energies_that_fail_make_rows_invalid_and_back(double_well):
    ensemble = double_well.ensemble(100, seed=13)
    u = ensemble.reduced_energy.copy()
    u[:10] = np.nan
    broken = ensemble.with_energy(u, 300.0)
    assert broken.metrics()["dropped_by_reason"] == {"nonfinite_energy": 10}
    assert broken.attempted == 100
    mended = broken.with_energy(ensemble.reduced_energy, 300.0)
    assert mended.valid.all()
    np.testing.assert_allclose(mended.log_weights, ensemble.log_weights)


def test_another_target_after_accumulated_weights(double_well, make_ensemble):
    plain = double_well.ensemble(200, seed=14)
    carried = make_ensemble(
        plain.positions, plain.log_q, plain.reduced_energy, base_log_weights=plain.log_weights.copy()
    )
    u = plain.reduced_energy * 1.3
    np.testing.assert_allclose(carried.with_energy(u, 300.0).log_weights, plain.with_energy(u, 300.0).log_weights)


def test_columns_cannot_be_misaligned(make_ensemble):
    with pytest.raises(ValueError, match="log_q has shape"):
        make_ensemble(np.zeros((5, 1)), np.zeros(4), np.zeros(5))


def test_blocks_join_in_order_with_shifted_parents(make_ensemble):
    def block(value):
        return make_ensemble(
            np.full((3, 1), value), np.zeros(3), np.zeros(3), parent=np.array([0, 0, 2], dtype=np.int64)
        )

    joined = Ensemble.concatenate([block(1.0), block(2.0)])
    np.testing.assert_array_equal(joined.parent, [0, 0, 2, 3, 3, 5])
    np.testing.assert_array_equal(joined.positions[:, 0], [1, 1, 1, 2, 2, 2])
    assert joined.ess == pytest.approx(36.0 / (4 + 1 + 4 + 1))
