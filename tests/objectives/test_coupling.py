from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tbg_core.objectives.coupling import align, align_alike, optimal_rotation

torch.set_num_threads(1)


def _points(seed, n, flat=3):
    g = np.random.default_rng(seed)
    x = g.standard_normal((4, n, 3)) * ([1.0] * flat + [0.0] * (3 - flat))
    return torch.from_numpy(x - x.mean(axis=1, keepdims=True))


def _distance(a, b):
    return (a - b).square().sum((1, 2))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(2, 12),
    flat=st.sampled_from([1, 2, 3]),
    reflections=st.booleans(),
)
def test_no_rotation_does_better(seed, n, flat, reflections):
    x, y = _points(seed, n, flat), _points(seed + 1, n, 3)
    R = optimal_rotation(x, y, reflections=reflections)
    eye = torch.eye(3, dtype=torch.float64).expand(4, 3, 3)
    torch.testing.assert_close(R @ R.transpose(1, 2), eye, rtol=0, atol=1e-10)
    if not reflections:
        torch.testing.assert_close(torch.linalg.det(R), torch.ones(4, dtype=torch.float64))
    best = _distance(align(x, y, reflections=reflections), y)
    rivals = torch.from_numpy(Rotation.random(50, random_state=seed).as_matrix())
    # Small turns of the optimum as well as arbitrary ones.
    small = torch.from_numpy(Rotation.from_rotvec(1e-3 * np.eye(3)).as_matrix())
    for rival in [*rivals, *(small @ R[0])]:
        for sign in (1, -1) if reflections else (1,):
            assert (best <= _distance(sign * x @ rival.T, y) + 1e-9).all()


@pytest.mark.parametrize("reflections", [False, True])
def test_the_distance_is_that_of_kabsch(reflections):
    """min_R |R x - y|^2 = |x|^2 + |y|^2 - 2 (s1 + s2 +- s3), s the singular values of the covariance."""
    x, y = _points(0, 9), _points(1, 9)
    covariance = x.transpose(1, 2) @ y
    s = torch.linalg.svdvals(covariance)
    sign = torch.ones(4) if reflections else torch.linalg.det(covariance).sign()
    assert reflections or (sign < 0).any()
    expected = x.square().sum((1, 2)) + y.square().sum((1, 2)) - 2 * (s[:, 0] + s[:, 1] + sign * s[:, 2])
    torch.testing.assert_close(_distance(align(x, y, reflections=reflections), y), expected)


def test_a_rotated_copy_is_brought_back_in_float32():
    x = _points(3, 20).float()
    R = torch.from_numpy(Rotation.random(4, random_state=0).as_matrix()).float()
    turned = x @ R.transpose(1, 2)
    torch.testing.assert_close(align(turned, x), x, rtol=0, atol=5e-6)
    torch.testing.assert_close(align(-turned, x, reflections=True), x, rtol=0, atol=5e-6)
    assert (_distance(align(-turned, x), x) > 1).all()
    assert align(turned, x).dtype == torch.float32


def test_padding_does_not_turn_anything():
    x, y = _points(4, 6), _points(5, 6)
    pad = torch.zeros(4, 3, 3, dtype=torch.float64)
    R = optimal_rotation(torch.cat([x, pad], 1), torch.cat([y, pad], 1))
    torch.testing.assert_close(R, optimal_rotation(x, y), rtol=1e-9, atol=1e-9)


ALIKE = [torch.tensor([0, 2, 5, 7]), torch.tensor([1, 3, 4])]


def _exchanged(seed, rows=4):
    """Orders [rows, 9] that exchange atoms within the sets and leave the others (6 and 8) where they are."""
    g = np.random.default_rng(seed)
    orders = torch.arange(9).repeat(rows, 1)
    for order in orders:
        for members in ALIKE:
            order[members] = members[g.permutation(len(members))]
    return orders


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), reflections=st.booleans())
def test_exchanges_stay_within_their_sets_and_never_lengthen(seed, reflections):
    x, y = _points(seed, 9), _points(seed + 1, 9)
    moved = align_alike(x, y, [ALIKE] * 4, reflections=reflections)
    assert (_distance(moved, y) <= _distance(align(x, y, reflections=reflections), y) + 1e-9).all()
    # The same points, turned: norms keep which is which.
    before, after = x.norm(dim=-1), moved.norm(dim=-1)
    for members in ALIKE:
        torch.testing.assert_close(before[:, members].sort().values, after[:, members].sort().values)
    torch.testing.assert_close(before[:, [6, 8]], after[:, [6, 8]])
    gram = moved @ moved.transpose(1, 2)
    order = (before.unsqueeze(1) - after.unsqueeze(2)).abs().argmin(dim=2)
    again = torch.stack([row[o] for row, o in zip(x, order, strict=True)])
    torch.testing.assert_close(gram, again @ again.transpose(1, 2))
    # Once at rest, no exchange of two brings them closer.
    rested = align_alike(align_alike(moved, y, [ALIKE] * 4), y, [ALIKE] * 4)
    for i, j in torch.cat([torch.combinations(members) for members in ALIKE]):
        swapped = rested.clone()
        swapped[:, [i, j]] = rested[:, [j, i]]
        assert (_distance(rested, y) <= _distance(swapped, y) + 1e-9).all()


def test_a_relabelled_copy_is_brought_back():
    y = _points(7, 9)
    orders = _exchanged(7)
    small = torch.from_numpy(Rotation.from_rotvec([0.1, -0.05, 0.08]).as_matrix())
    x = torch.stack([row[o] for row, o in zip(y, orders, strict=True)]) @ small.T
    found = align_alike(x, y, [ALIKE] * 4)
    assert (_distance(align(x, y), y) > 0.5).any()
    assert (_distance(found, y) < 1e-9).sum() >= 3  # a local search: not every copy is found


def test_rows_have_sets_of_their_own():
    x, y = _points(8, 9), _points(9, 9)
    moved = align_alike(x, y, [ALIKE, [], [ALIKE[0]], ALIKE])
    torch.testing.assert_close(moved[1], align(x, y)[1])
    torch.testing.assert_close(moved[2], align_alike(x, y, [[ALIKE[0]]] * 4)[2])
    assert (_distance(moved, align(x, y)) > 1e-3)[[0, 3]].all()
