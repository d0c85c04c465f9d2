"""Basins of torsions, and the free energy of the left-handed one."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.metrics.basins import basin_of, left_handed


def test_basins_are_cyclic():
    angles = np.radians([-179.0, -1.0, 1.0, 119.0, 121.0, 179.0])
    assert basin_of(angles, (0.0, 120.0)).tolist() == [1, 1, 0, 0, 1, 1]
    assert basin_of(angles, (0.0, 120.0, 240.0)).tolist() == [1, 2, 0, 0, 1, 1]
    assert basin_of(np.radians([-119.0, 49.0, 51.0, 180.0, -121.0]), (-120.0, 50.0)).tolist() == [0, 0, 1, 1, 1]


def test_the_free_energy_of_a_basin():
    phi = np.radians(np.repeat([60.0, -70.0, 150.0], [10, 60, 20]))
    found = left_handed(phi)
    assert found.value == pytest.approx(np.log(80 / 10))
    # Delta method of the logarithm of odds: 1 / (n p) + 1 / (n (1 - p)).
    assert found.error == pytest.approx(np.sqrt(1 / 10 + 1 / 80))
    weighted = left_handed(phi, np.repeat([8.0, 1.0], [10, 80]))
    assert weighted.value == pytest.approx(0.0)


def test_correlated_rows_know_less():
    phi = np.radians(np.tile([60.0, -70.0, -70.0, 60.0, -70.0], 40))
    alone, repeated = left_handed(phi), left_handed(np.repeat(phi, 3), groups=np.repeat(np.arange(len(phi)), 3))
    assert repeated == pytest.approx(alone)
    assert left_handed(np.repeat(phi, 3)).error == pytest.approx(alone.error / np.sqrt(3))


def test_a_basin_that_was_never_visited():
    assert left_handed(np.radians([-60.0, -120.0])).value == np.inf
    assert left_handed(np.radians([60.0, 50.0])).value == -np.inf
