"""The PMF between labels, and where walkers go on it."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_coarse.comparison import Trace, first_below, forward_divergence
from tbg_coarse.exploration import Grid, broadened, farthest_points, walk
from tbg_coarse.labels import Labels
from tbg_coarse.pmf import PotentialOfMeanForce


def labels(s, f, error=0.1):
    n = len(s)
    noise = np.random.default_rng(0).standard_normal(n)
    return Labels(s, f + error * noise, np.full(n, error), np.full(n, 20.0), f)


def torsional(s):
    return 3 * np.cos(s).sum(1) + np.cos(3 * s[:, 0])


def test_a_periodic_function_is_recovered_with_its_error():
    random = np.random.default_rng(1)
    s = random.uniform(-np.pi, np.pi, (200, 2))
    pmf = PotentialOfMeanForce(labels(s, torsional(s)), np.ones(2), periodic=True)
    at = random.uniform(-np.pi, np.pi, (300, 2))
    mean, deviation = pmf.predict(at)
    off = mean - torsional(at)
    assert np.abs(off).mean() < 0.15
    assert 0.4 < np.sqrt(np.mean((off / deviation) ** 2)) < 1.6
    turned, _ = pmf.predict(at + 2 * np.pi)
    assert np.allclose(turned, mean)


def test_where_nothing_is_known_the_error_is_large():
    s = np.linspace(-1.0, 0.0, 20)[:, None]
    pmf = PotentialOfMeanForce(labels(s, s[:, 0] ** 2), np.ones(1), periodic=False)
    _, deviation = pmf.predict(np.array([[-0.5], [3.0]]))
    assert deviation[0] < 0.15
    assert deviation[1] > 1.0


def test_the_ensemble_has_the_posterior_s_spread():
    s = np.linspace(-1.0, 1.0, 8)[:, None]
    pmf = PotentialOfMeanForce(labels(s, s[:, 0] ** 2, error=0.3), np.ones(1), periodic=False)
    at = np.array([[-0.9], [0.05], [1.6]])
    mean, deviation = pmf.predict(at)
    drawn = pmf.draw(at, 4000, np.random.default_rng(3))
    assert np.allclose(drawn.mean(0), mean, atol=5 * deviation.max() / 60)
    assert np.allclose(drawn.std(0), deviation, rtol=0.1)


def test_walkers_stop_where_it_is_uncertain_and_walls_hold_them():
    grid = Grid(np.array([0.0]), np.array([1.0]), 20, periodic=False)
    reduced, uncertain = np.zeros(20), np.zeros(20, dtype=bool)
    uncertain[[3, 17]] = True
    reduced[10] = 1e6
    met = walk(grid, reduced, uncertain, np.full((50, 1), 0.3), 2000, np.random.default_rng(0))
    assert set(met) == {3}
    assert len(met) == 50


def test_walkers_cross_the_end_of_a_circle():
    grid = Grid(np.array([-np.pi]), np.array([np.pi]), 20, periodic=True)
    reduced, uncertain = np.zeros(20), np.zeros(20, dtype=bool)
    uncertain[0], reduced[10] = True, 1e6
    assert set(walk(grid, reduced, uncertain, np.full((9, 1), 3.0), 2000, np.random.default_rng(0))) == {0}


def test_chosen_points_are_far_apart():
    s = np.array([[0.0], [0.1], [3.1], [-3.1], [1.5]])
    assert set(farthest_points(s, 3, np.ones(1), periodic=True)) == {0, 2, 4}
    spread = broadened(s, 7, np.array([0.5]), np.random.default_rng(0), periodic=True)
    assert spread.shape == (35, 1)
    assert (np.abs(spread) <= np.pi).all()


def test_divergence_and_its_first_crossing():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert forward_divergence(p, q) == pytest.approx(0.5 * np.log(2))
    trace = Trace(np.array([1, 2, 3, 4]), np.array([0.5, 0.05, 0.2, 0.01]))
    assert first_below(trace, 0.1) == 4
    assert np.isinf(first_below(trace, 0.001))
