"""The surface of Mueller and Brown at its published stationary points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import root

from tbg_core.contracts.energy import ThermodynamicState
from tbg_toys.config import MuellerBrownConfig
from tbg_toys.mueller_brown import DIVIDE, MuellerBrown, energy_floor
from tbg_toys.system import ToySystem

# x, y, energy and number of descending directions: Mueller and Brown, Theor. Chim. Acta 53, 75 (1979), to the
# digits that later work agrees on.
STATIONARY = [
    (-0.558, 1.442, -146.70, 0),
    (0.623, 0.028, -108.17, 0),
    (-0.050, 0.467, -80.77, 0),
    (-0.822, 0.624, -40.66, 1),
    (0.212, 0.293, -72.25, 1),
]


@pytest.fixture(scope="module")
def target():
    return MuellerBrown(MuellerBrownConfig(scale=1.0)).bind(ToySystem("mueller-brown"), ThermodynamicState(300.0))


def surface(target, point):
    u, gradient = target.energy_and_grad(torch.from_numpy(np.array([point], dtype=float)))
    return float(u) * target.state.kT, gradient[0].numpy() * target.state.kT


@pytest.mark.parametrize(("x", "y", "energy", "index"), STATIONARY)
def test_stationary_points(target, x, y, energy, index):
    found = root(lambda p: surface(target, p)[1], [x, y], tol=1e-10)
    assert found.success
    assert found.x == pytest.approx([x, y], abs=1e-3)
    assert surface(target, found.x)[0] == pytest.approx(energy, abs=0.01)
    step = 1e-5
    hessian = np.array(
        [
            (surface(target, found.x + step * e)[1] - surface(target, found.x - step * e)[1]) / (2 * step)
            for e in np.eye(2)
        ]
    )
    assert (np.linalg.eigvalsh((hessian + hessian.T) / 2) < 0).sum() == index


def test_basins(target):
    points = torch.tensor([[x, y] for x, y, *_ in STATIONARY], dtype=torch.float64)
    assert target.basin(points)[:3].tolist() == [0, 1, 1]
    saddle_x, saddle_y = STATIONARY[3][:2]
    assert saddle_y - saddle_x == pytest.approx(DIVIDE, abs=0.01)


@given(x=st.floats(-3, 2.5), y=st.floats(-2, 3.5), width=st.floats(1e-3, 0.5), height=st.floats(1e-3, 0.5))
def test_floor_lies_below_the_surface(target, x, y, width, height):
    """What makes the exact sampler exact: the interval bound holds everywhere in the box."""
    lower, upper = np.array([[x, y]]), np.array([[x + width, y + height]])
    floor = float(energy_floor(lower, upper)[0])
    fractions = torch.linspace(0, 1, 7, dtype=torch.float64)
    grid = torch.cartesian_prod(x + width * fractions, y + height * fractions)
    lowest = float(target.reduced_energy(grid).min()) * target.state.kT
    assert floor <= lowest + 1e-9 * abs(lowest)


def test_far_away_is_forbidden_and_harmless(target):
    u = target.reduced_energy(torch.tensor([[80.0, 80.0], [0.0, 0.5]], dtype=torch.float64))
    assert u[0] == torch.inf
    assert torch.isfinite(u[1])
