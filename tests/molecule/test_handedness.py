from __future__ import annotations

import itertools

import numpy as np
import pytest

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.handedness import handedness_labels, handedness_signs, signed_volumes


def parity(order):
    return (-1) ** sum(a > b for a, b in itertools.combinations(order, 2))


def test_every_exchange_reverses_the_volume_in_any_geometry():
    x = np.random.default_rng(1).normal(size=(20, 4, 3))  # mostly nothing like a tetrahedron
    start = signed_volumes(x, [[0, 1, 2, 3]])[:, 0]
    for order in itertools.permutations(range(4)):
        assert np.allclose(signed_volumes(x, [order])[:, 0], parity(order) * start)


def test_sign_is_that_of_the_triple_product_of_the_bonds(alanine):
    x = alanine.reference
    for label in alanine.handedness:
        arms = x[list(label.neighbours[:3])] - x[label.centre]
        assert label.sign == np.sign(np.dot(arms[0], np.cross(arms[1], arms[2])))


def test_neighbours_are_heavy_atoms_first_and_ascending(alanine):
    assert [(h.centre, h.neighbours) for h in alanine.handedness] == [
        (0, (4, 1, 2, 3)),
        (8, (6, 10, 14, 9)),
        (10, (8, 11, 12, 13)),
        (18, (16, 19, 20, 21)),
    ]


def test_l_alanine_has_the_l_configuration(alanine):
    # The CORN rule: seen from HA, the order CO, R (CB), N is clockwise.
    ha, c, cb, n, ca = (alanine.reference[i] for i in (9, 14, 10, 6, 8))
    view = ca - ha
    assert np.dot(np.cross(c - ca, cb - ca), view) > 0
    assert np.dot(np.cross(cb - ca, n - ca), view) > 0


def test_mirror_reverses_all_labels(alanine):
    noisy = alanine.reference + np.random.default_rng(0).normal(scale=0.005, size=(10, 22, 3))
    assert handedness_signs(noisy, alanine.handedness).all()
    assert not handedness_signs(-noisy, alanine.handedness).any()


def test_order_given_is_kept_without_elements(alanine):
    labels = handedness_labels(alanine.neighbours, alanine.reference)
    assert [h.neighbours for h in labels] == [alanine.neighbours[h.centre] for h in labels]


def test_a_flat_centre_is_refused():
    x = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]) * 0.15
    with pytest.raises(UnsupportedSystemError, match="atom 1 lie in a plane"):
        handedness_labels([(1, 2, 3, 4), (0,), (0,), (0,), (0,)], x)
