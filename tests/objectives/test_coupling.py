from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tbg_core.objectives.coupling import align, optimal_rotation

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
