"""Conditional densities integrate to one, and agree in both directions."""

from __future__ import annotations

import math

import pytest
import torch

from tbg_coarse.config import CoarseConfig
from tbg_coarse.density import FineDensity
from tbg_coarse.grid import GridDensity


def disturbed(**sizes):
    config = CoarseConfig(cvs=("x:0",), width=16, periodic=False, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(1)  # noqa: TID251 - torch initialises weights from its global generator
        density = FineDensity(config)
        for weight in density.parameters():
            weight.data += 0.3 * torch.randn_like(weight)
    return density


@pytest.mark.parametrize("s", [-1.0, 0.3, 2.0])
def test_one_stiff_coordinate_by_quadrature(s):
    density = disturbed(rotors=0, stiff=1)
    z = torch.linspace(-60, 60, 120001, dtype=torch.float64)[:, None]
    with torch.no_grad():
        p = density.log_prob(torch.full_like(z, s), z[:, :0], z).exp()
    assert float(p.sum() * (z[1] - z[0])) == pytest.approx(1.0, abs=1e-5)


def test_a_rotor_and_a_stiff_coordinate_by_quadrature():
    density = disturbed(rotors=1, stiff=1)
    angle = torch.linspace(-math.pi, math.pi, 161, dtype=torch.float64)[:-1]
    z = torch.linspace(-40, 40, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(angle, z)
    with torch.no_grad():
        p = density.log_prob(torch.zeros(len(grid), 1, dtype=torch.float64), grid[:, :1], grid[:, 1:]).exp()
    assert float(p.sum() * (angle[1] - angle[0]) * (z[1] - z[0])) == pytest.approx(1.0, abs=2e-3)


def test_draws_have_the_density_that_is_evaluated():
    density = disturbed(rotors=2, stiff=5)
    generator = torch.Generator().manual_seed(2)
    s = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    uniform = torch.rand(50, 2, generator=generator, dtype=torch.float64)
    normal = torch.randn(50, 5, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        rotors, stiff, log_q = density.sample(s, uniform, normal)
        assert torch.allclose(density.log_prob(s, rotors, stiff), log_q, atol=1e-8)


@pytest.mark.parametrize("periodic", [True, False])
def test_the_density_of_s_integrates_to_one(periodic):
    grid = GridDensity(1, 16, periodic=periodic)
    grid.span(torch.tensor([-1.0]), torch.tensor([2.0]))
    grid.set_free_energy(torch.linspace(0, 4, 16) ** 2)
    end = math.pi if periodic else 30.0
    s = torch.linspace(-end, end, 400001, dtype=torch.float64)[:-1, None]
    assert float(grid.log_prob(s).exp().mean() * 2 * end) == pytest.approx(1.0, abs=1e-4)
