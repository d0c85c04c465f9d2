"""A reference as a yardstick: zero for itself, monotone in what is wrong, honest about its own halves."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.metrics.divergence import RamachandranCells, jensen_shannon
from tbg_core.metrics.tica import Tica, tica_features
from tbg_core.metrics.wasserstein import w2_line
from tbg_core.metrics.yardstick import Difference, Yardstick, phi_error


@pytest.fixture
def yardstick(glycylalanine, reference):
    molecule, x = glycylalanine
    tica = Tica([tica_features(molecule, x)], 3)
    return Yardstick(molecule, reference, 1000, tica)


def test_points_are_at_most_half_of_the_reference(yardstick):
    assert yardstick.points == 200


def test_weights_bring_a_biased_proposal_back(yardstick, reference, ensemble):
    """Frames drawn with probability growing with u; weights undo it exactly, in expectation."""
    random = np.random.default_rng(7)
    tilt = 0.25 * reference.reduced_energy
    p = np.exp(tilt - tilt.max())
    rows = random.choice(len(reference), 20_000, p=p / p.sum())
    x, u = reference.positions[rows], reference.reduced_energy[rows]
    found = yardstick.measure(ensemble(x, u, -0.25 * u))
    # A Gaussian of width 3 tilted by 0.25 moves by 9/4.
    assert found["proposal"]["e_w2"] == pytest.approx(2.25, abs=0.4)
    assert found["reweighted"]["e_w2"] < 0.35
    assert set(found["reweighted"]) == {"e_w2", "t_w2", "tica_w2", "jsd", "phi"}


def test_the_trimmed_variant_leaves_out_the_largest_weights(yardstick, reference, ensemble):
    """One weight beyond all others: alone it makes the ensemble, without it the rest does."""
    x, u = reference.positions, reference.reduced_energy
    log_w = np.zeros(len(u))
    log_w[3] = 30.0
    found = yardstick.measure(ensemble(x, u, log_w))
    assert found["reweighted"]["e_w2"] == pytest.approx(w2_line(u[3:4], u), rel=1e-6)
    assert found["trimmed"]["e_w2"] < 0.5
    assert found["trimmed"]["t_w2"] < found["reweighted"]["t_w2"]


def test_invalid_samples_count_for_nothing(yardstick, reference, ensemble):
    x, u = reference.positions.copy(), reference.reduced_energy.copy()
    valid = np.arange(len(u)) % 4 > 0
    x[~valid], u[~valid] = np.nan, np.nan
    found = yardstick.measure(ensemble(x, u, np.zeros(len(u)), valid))
    assert found["proposal"]["e_w2"] < 0.6
    assert not yardstick.measure(ensemble(x, u, np.zeros(len(u)), np.zeros(len(u), bool)))


def test_halves_are_a_floor_that_equal_draws_stay_near(yardstick):
    floor = yardstick.floor()
    assert set(floor) == {"e_w2", "t_w2", "tica_w2", "jsd", "phi"}
    for mean, spread in floor.values():
        assert np.isnan(mean) or mean > 0.0
        assert np.isnan(spread) or spread >= 0.0
    # Two sets of 200 numbers of width 3: E[W2^2] of about 2 * 9 * loglog(n)/n.
    assert 0.1 < floor["e_w2"][0] < 1.0


def test_divergence_of_histograms():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])
    assert jensen_shannon(p, p) == 0.0
    assert jensen_shannon(p, q) == pytest.approx(0.5 * np.log(2.0))
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(np.log(2.0))


def test_cells_are_of_the_torus():
    """Angles on both sides of pi are in one cell."""
    random = np.random.default_rng(8)
    modes = np.array([[np.pi, 0.0], [0.0, np.pi], [1.0, 1.0]])
    angles = np.angle(np.exp(1j * (modes[random.integers(3, size=900)] + random.normal(0, 0.05, (900, 2)))))
    cells = RamachandranCells(angles)
    shares = cells.histogram(angles)
    assert shares.sum() == pytest.approx(1.0)
    assert len(shares) == 20
    assert cells.histogram(angles - 2 * np.pi) == pytest.approx(shares)
    # Two samples of one distribution differ by noise, of another by much more.
    again, other = angles[::2], np.angle(np.exp(1j * (angles + 0.5)))
    assert jensen_shannon(cells.histogram(again), shares) < 0.02 < jensen_shannon(cells.histogram(other), shares)
    assert np.abs(cells.centres).max() <= 1.0


def test_errors_of_basins_that_were_not_visited():
    known, never = Difference(3.0, 0.1), Difference(np.inf, np.nan)
    assert phi_error([known, Difference(2.0, 0.1)], [Difference(3.5, 0.1), Difference(2.0, 0.1)]) == 0.25
    assert phi_error([known], [never]) == np.inf
    assert phi_error([known, never], [Difference(4.0, 0.1), never]) == 1.0
    assert np.isnan(phi_error([never], [never]))
