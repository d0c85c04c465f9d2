"""Distances against closed forms, and against the network simplex of POT where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.metrics.wasserstein import w2_line, w2_plane, w2_torus


def gaussian(n, mean=0.0, scale=1.0):
    """Mid-quantiles: a set of n numbers whose distances are those of the Gaussians, up to 1/n."""
    from scipy.stats import norm

    return mean + scale * norm.ppf((np.arange(n) + 0.5) / n)


def test_gaussians_on_the_line():
    """W2(N(m, s), N(m', s'))^2 = (m - m')^2 + (s - s')^2."""
    random = np.random.default_rng(0)
    a, b = gaussian(20_000), gaussian(20_000, mean=1.5, scale=1.7)
    assert w2_line(random.permutation(a), b) == pytest.approx(np.hypot(1.5, 0.7), rel=1e-3)


def test_the_line_with_unequal_numbers_of_points():
    """Repeating every point changes no distribution."""
    random = np.random.default_rng(1)
    a, b = random.normal(size=12), random.normal(size=30)
    expected = w2_line(np.repeat(a, 30), np.repeat(b, 12))
    assert w2_line(a, b) == pytest.approx(expected, rel=1e-12)
    assert w2_line(b, a) == pytest.approx(expected, rel=1e-12)
    assert w2_line(np.array([0.0, 1.0]), np.array([0.5])) == pytest.approx(0.5)


def test_a_shift_of_the_plane_is_its_length():
    a = np.random.default_rng(2).normal(size=(300, 2))
    assert w2_plane(a, a[::-1] + np.array([0.3, -0.4])) == pytest.approx(0.5, rel=1e-12)


def test_the_torus_goes_the_shorter_way_round():
    near_pi = np.array([[np.pi - 0.1, 3.0], [-np.pi + 0.1, -3.0]])
    beyond = np.array([[-np.pi + 0.1, 3.0], [np.pi - 0.1, -3.0]])
    # Each point is 0.2 from one of the others in the first angle, once round the back, and exact in the second;
    # swapped, it is 2 pi - 6 away in the second and exact in the first.
    assert w2_torus(near_pi, beyond) == pytest.approx(min(0.2, 2 * np.pi - 6.0))
    a = np.random.default_rng(3).uniform(-np.pi, np.pi, (200, 2))
    turned = np.angle(np.exp(1j * (a + np.array([0.05, 0.12]))))
    assert w2_torus(a, turned) == pytest.approx(np.hypot(0.05, 0.12), rel=1e-9)
    assert w2_torus(a, a + 2 * np.pi) == pytest.approx(0.0, abs=1e-9)


def test_the_assignment_is_the_linear_program():
    ot = pytest.importorskip("ot")
    random = np.random.default_rng(4)
    a, b = random.normal(size=(150, 2)), random.normal(0.5, 1.2, size=(150, 2))
    assert w2_plane(a, b) == pytest.approx(np.sqrt(ot.emd2([], [], ot.dist(a, b))), rel=1e-9)
    x, y = random.normal(size=150), random.exponential(size=90)
    assert w2_line(x, y) == pytest.approx(np.sqrt(ot.emd2_1d(x, y)), rel=1e-9)


def test_what_has_no_distance_is_refused():
    with pytest.raises(ValueError, match="finite numbers on both sides"):
        w2_line(np.array([1.0, np.nan]), np.array([1.0]))
    with pytest.raises(ValueError, match="finite numbers on both sides"):
        w2_line(np.array([]), np.array([1.0]))
    with pytest.raises(ValueError, match="equally many points"):
        w2_plane(np.zeros((3, 2)), np.zeros((4, 2)))
