"""Distances between distributions, superposition, maps and hands, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.report.clouds import Cloud
from tbg_core.report.distances import distance_by_chance, internal_coordinates, scaled_distance
from tbg_core.report.run_data import load_run
from tbg_core.report.sections import conformations, geometry, stereo
from tbg_core.report.superposition import mean_structure, rotations_onto, superposed
from tbg_core.report.surface import plane, surface


def rotation(rng):
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q * np.linalg.det(q)


def test_a_shift_by_one_width_is_a_distance_of_one():
    x = np.random.default_rng(0).normal(size=500)
    ones = np.ones(500)
    assert scaled_distance(x + 2.0, ones, x, ones, 2.0) == pytest.approx(1.0)
    # Weights 3 and 1 on two points at distance 4, against 1 and 1: a quarter of the mass moves by 4.
    y = np.array([0.0, 4.0])
    assert scaled_distance(y, np.array([3.0, 1.0]), y, np.ones(2), 1.0) == pytest.approx(1.0)


@pytest.mark.statistical
def test_distance_by_chance_is_what_chance_does():
    # Mean of 200 distances with a spread of about 40 %: standard error 3 %, tested at 12 %.
    rng = np.random.default_rng(1)
    pool = rng.normal(size=40_000)
    ones = np.ones(300), np.ones(500)
    found = [scaled_distance(rng.normal(size=300), ones[0], rng.normal(size=500), ones[1], 1.0) for _ in range(200)]
    expected = distance_by_chance(pool, np.ones(len(pool)), 300.0, 500.0, 1.0)
    assert np.mean(found) == pytest.approx(expected, rel=0.12)


def test_internal_coordinates_of_alanine_dipeptide(make_alanine):
    bonds, angles, far = internal_coordinates(make_alanine(2).system)
    assert (bonds.total, angles.total) == (21, 36)
    heavy = 10
    near = 9 + 11  # pairs of heavy atoms that are bonded, and that have a common neighbour
    assert far.total == heavy * (heavy - 1) // 2 - near


def test_the_worst_bond_comes_first(make_alanine):
    ensemble = make_alanine(200)
    x = ensemble.positions.astype(np.float64)
    bonds = internal_coordinates(ensemble.system)[0]
    i, j = bonds.atoms[4]
    good = Cloud("reference", "reference MD", "", x, np.ones(200), np.arange(200), 200.0)
    stretched = x.copy()
    stretched[:, j] += 0.3 * (x[:, j] - x[:, i])
    # Whatever else moved with the atom moved less than the bond.
    bad = Cloud("reweighted", "reweighted", "", stretched, np.ones(200), np.arange(200), 200.0)
    found = geometry._deviations(ensemble.system, bonds, (bad, bad, good))
    worst = max(found, key=geometry._severity)
    assert worst.index == 4


def test_superposition_undoes_rotations_but_not_reflections():
    rng = np.random.default_rng(2)
    shape = rng.normal(size=(7, 3))
    shape -= shape.mean(0)
    turned = np.stack([shape @ rotation(rng) for _ in range(5)])
    np.testing.assert_allclose(turned @ rotations_onto(turned, shape), np.broadcast_to(shape, (5, 7, 3)), atol=1e-12)
    mirror = (-shape)[None]
    assert np.abs(mirror @ rotations_onto(mirror, shape) - shape).max() > 0.1
    assert np.linalg.det(rotations_onto(mirror, shape)[0]) == pytest.approx(1.0)


def test_mean_structure_keeps_the_hand_and_lies_flat():
    rng = np.random.default_rng(3)
    shape = rng.normal(size=(6, 3)) * [3.0, 2.0, 1.0]
    turned = np.stack([shape @ rotation(rng) + rng.normal(size=3) for _ in range(8)])
    mean = mean_structure(turned, np.ones(8))
    spread = mean.std(axis=0)
    assert spread[0] > spread[1] > spread[2]
    moved = superposed(turned, np.arange(6), mean)
    np.testing.assert_allclose(moved, np.broadcast_to(mean, moved.shape), atol=1e-9)


def test_conformations_are_drawn_by_weight():
    x = np.zeros((4, 2, 3))
    cloud = Cloud("reweighted", "reweighted", "", x, np.array([0.0, 2.0, 1.0, 1.0]), np.arange(4), 2.7)
    rows, times = conformations.by_weight(cloud, 40)
    # More ticks than rows are not drawn: four of them, two on the row that holds half.
    assert dict(zip(rows.tolist(), times.tolist(), strict=True))[1] == 2
    assert 0 not in rows
    assert times.sum() == 4


class Coordinate:
    unit, period = "°", 360.0

    def __init__(self, index):
        self.index, self.name = index, f"c{index}"

    def __call__(self, positions):
        return positions[:, self.index]


def test_what_a_proposal_misses_is_marked():
    rng = np.random.default_rng(4)
    both = np.concatenate([rng.normal([-90, 0], 12, (1500, 2)), rng.normal([60, 40], 12, (500, 2))])
    left = both[:1500]
    clouds = [
        Cloud(key, key, "", x, np.ones(len(x)), np.arange(len(x)), float(len(x)))
        for key, x in (("proposal", left), ("reference", both))
    ]
    where = plane(Coordinate(0), Coordinate(1), clouds)
    found = [surface(cloud, where) for cloud in clouds]
    lacking = found[0].lacks(found[1], clouds[0].effective, where.cell)
    centres = -180 + (np.arange(72) + 0.5) * 5
    places = np.argwhere(lacking)
    assert np.abs(centres[places[:, 1]] - 60).max() < 60
    assert np.abs(centres[places[:, 0]] - 40).max() < 60
    assert lacking[np.argmin(np.abs(centres - 40)), np.argmin(np.abs(centres - 60))]
    assert not found[1].lacks(found[1], 2000.0, where.cell).any()
    # F of the smaller basin: log 3 above the larger one, which smoothing does not change.
    heights = [
        found[1].free_energy[np.argmin(np.abs(centres - y)), np.argmin(np.abs(centres - x))]
        for x, y in ((-90, 0), (60, 40))
    ]
    assert heights[1] - heights[0] == pytest.approx(np.log(3.0), abs=0.2)
    assert np.isnan(found[1].free_energy[36, 70])


def test_hands_as_drawn(make_alanine):
    ensemble = make_alanine(200)
    centre = next(i for i, name in enumerate(ensemble.system.atom_names) if name == "CA")
    right, known = stereo.as_drawn(ensemble, ensemble.system, (centre,))
    # Rows 0, 10, ... have wrong bonds, rows 5, 25, ... the other hand, odd valid rows were mirrored.
    assert not known[::10].any()
    assert known[ensemble.valid].all()
    np.testing.assert_array_equal(right[ensemble.valid, 0], ~ensemble.mirrored[ensemble.valid])
    inverted = np.arange(5, 200, 20)
    assert not right[inverted[known[inverted]], 0].any()


def test_frames_of_a_simulation_keep_their_numbers(alanine_run):
    run = load_run(alanine_run)
    assert [cloud.key for cloud in run.clouds] == ["proposal", "reweighted", "reference"]
    proposal, reweighted, reference = run.clouds
    assert len(proposal) == int(run.ensemble.valid.sum())
    assert reweighted.effective == pytest.approx(run.ensemble.ess)
    np.testing.assert_array_equal(run.ensemble.positions[proposal.rows], proposal.positions)
    assert len(reference.thinned(100)) == 100
