from __future__ import annotations

import math

import numpy as np
import pytest

from tbg_core.observables.geometry import angle, dihedral, distance, radius_of_gyration


@pytest.mark.parametrize("phi", [-179.0, -90.0, -1e-6, 0.0, 30.0, 90.0, 179.9])
@pytest.mark.parametrize("theta", [20.0, 109.5, 170.0])
def test_internal_coordinates_are_recovered(theta, phi):
    """Looking along j-k, with i upwards, l lies at phi clockwise."""
    t, p = np.radians([theta, phi])
    # The axis j-k is +z; seen along +z with i at +x, clockwise is from +x to +y.
    i, j, k = [0.1, 0, -0.05], [0, 0, 0], [0, 0, 0.15]
    end = np.add(k, 0.12 * np.array([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), -np.cos(t)]))
    x = np.array([[i, j, k, end]])
    assert dihedral(x, 0, 1, 2, 3)[0] == pytest.approx(p, abs=1e-12)
    assert dihedral(x, 3, 2, 1, 0)[0] == pytest.approx(p, abs=1e-12)
    assert dihedral(-x, 0, 1, 2, 3)[0] == pytest.approx(-p, abs=1e-12)
    assert angle(x, 1, 2, 3)[0] == pytest.approx(t, abs=1e-12)
    assert distance(x, 2, 3)[0] == pytest.approx(0.12, rel=1e-12)


def test_angles_are_accurate_near_zero_and_pi():
    for small in (1e-9, math.pi - 1e-9):
        x = np.array([[[1.0, 0, 0], [0, 0, 0], [math.cos(small), math.sin(small), 0]]])
        assert angle(x, 0, 1, 2)[0] == pytest.approx(small, abs=1e-15)


def test_values_have_the_leading_shape_and_double_precision():
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)
    for values in (
        distance(x, 0, 1),
        angle(x, 0, 1, 2),
        dihedral(x, 0, 1, 2, 3),
        radius_of_gyration(x, [1.0] * 6),
    ):
        assert values.shape == (2, 5)
        assert values.dtype == np.float64


def test_radius_of_gyration_is_weighted_by_mass():
    x = np.array([[[0.0, 0, 0], [1.0, 0, 0]]])
    # Two points at distance 1 with shares a and b: sqrt(a b).
    assert radius_of_gyration(x, [3.0, 1.0])[0] == pytest.approx(math.sqrt(0.75 * 0.25))
