"""Reference values against independent quadratures, and exact samples against reference values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.energy import ThermodynamicState
from tbg_toys.config import DoubleWellConfig, GaussianMixtureConfig, MuellerBrownConfig
from tbg_toys.double_well import DoubleWell
from tbg_toys.gaussian_mixture import GaussianMixture
from tbg_toys.mueller_brown import MuellerBrown
from tbg_toys.system import ToySystem


def bind(backend, toy, dim=2, temperature_K=300.0):
    return backend.bind(ToySystem(toy, dim), ThermodynamicState(temperature_K))


TARGETS = {
    "double-well": lambda: bind(DoubleWell(DoubleWellConfig()), "double-well"),
    "asymmetric": lambda: bind(DoubleWell(DoubleWellConfig()), "asymmetric-double-well"),
    "steep-and-cold": lambda: bind(
        DoubleWell(DoubleWellConfig(barrier=20, a=0.5, tilt=-3.0)), "double-well", temperature_K=150.0
    ),
    "single-well": lambda: bind(DoubleWell(DoubleWellConfig(barrier=1.0, tilt=20.0)), "double-well"),
    "mueller-brown": lambda: bind(MuellerBrown(MuellerBrownConfig()), "mueller-brown"),
    "hot-mueller-brown": lambda: bind(
        MuellerBrown(MuellerBrownConfig(scale=0.2)), "mueller-brown", temperature_K=1200.0
    ),
    "gaussian-mixture": lambda: bind(GaussianMixture(GaussianMixtureConfig(offset=2.5)), "gaussian-mixture"),
    "gaussian": lambda: bind(GaussianMixture(GaussianMixtureConfig()), "gaussian"),
}


@pytest.fixture(params=TARGETS)
def target(request):
    return TARGETS[request.param]()


def test_values_against_a_sum_over_the_plane(target):
    """The trapezoidal rule on a square: exponentially accurate, and it shares no code with the plugin."""
    axis = torch.linspace(-8.0, 8.0, 1601, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    u = target.reduced_energy(x)
    lowest = u.min()
    mass = torch.exp(lowest - u)
    z = mass.sum()
    reference = target.reference_values
    assert math.log(float(z) * 0.01**2) - float(lowest) == pytest.approx(reference["log_z"], abs=1e-9)
    mean = float((mass * torch.nan_to_num(u, posinf=0.0)).sum() / z)
    assert mean == pytest.approx(reference["mean_energy"], abs=1e-8)
    first = float((mass * x[:, 0]).sum() / z)
    assert first == pytest.approx(reference["mean_x0"], abs=1e-9)
    variance = float((mass * (x[:, 0] - first) ** 2).sum() / z)
    assert variance == pytest.approx(reference["variance_x0"], abs=1e-9)
    # The edge between the basins cuts through the cells of this grid, hence the tolerance.
    share = float(mass[target.basin(x) == 1].sum() / z)
    assert math.log((1 - share) / share) == pytest.approx(reference["basin_free_energy_difference"], abs=0.02)


@pytest.mark.parametrize(("toy", "dim"), [("double-well", 1), ("asymmetric-double-well", 4)])
def test_further_dimensions_of_the_double_well_are_harmonic(toy, dim):
    plane, other = (bind(DoubleWell(DoubleWellConfig()), toy, d) for d in (2, dim))
    width = 0.5 * math.log(2 * math.pi * plane.state.kT / 20.0)
    a, b = plane.reference_values, other.reference_values
    assert b["log_z"] - a["log_z"] == pytest.approx((dim - 2) * width, abs=1e-12)
    assert b["mean_energy"] - a["mean_energy"] == pytest.approx((dim - 2) / 2)
    assert b["basin_free_energy_difference"] == a["basin_free_energy_difference"]


def test_symmetric_and_tilted_wells():
    even = bind(DoubleWell(DoubleWellConfig()), "double-well")
    assert even.reference_values["basin_free_energy_difference"] == pytest.approx(0, abs=1e-12)
    tilted = bind(DoubleWell(DoubleWellConfig()), "asymmetric-double-well")
    # 5 kJ/mol are 2.0 kT at 300 K; the tilt moves and widens the wells a little.
    assert tilted.reference_values["basin_free_energy_difference"] == pytest.approx(2.0, abs=0.2)


def test_entropy_of_a_gaussian():
    config = GaussianMixtureConfig(means=((1.0, 2.0, 3.0),), sigmas=(0.3,), weights=(2.0,), offset=-1.0)
    reference = bind(GaussianMixture(config), "gaussian-mixture", 3).reference_values
    assert reference["log_z"] == 1.0
    assert reference["mean_energy"] == pytest.approx(3 * math.log(0.3 * math.sqrt(2 * math.pi * math.e)) - 1)


def test_mixture_does_not_know_the_temperature():
    x = torch.randn(4, 2, dtype=torch.float64)
    cold, hot = (
        bind(GaussianMixture(GaussianMixtureConfig()), "gaussian-mixture", temperature_K=T) for T in (100, 900)
    )
    assert torch.equal(cold.reduced_energy(x), hot.reduced_energy(x))


def test_exact_samples_have_the_reference_moments(target):
    """Within 4.5 standard errors: a false alarm in 5,000 runs of all, and the seed is fixed."""
    x = torch.from_numpy(target.draw(np.random.Generator(np.random.Philox(5)), 40_000))
    reference = target.reference_values
    u, first = target.reduced_energy(x), x[:, 0]
    root = math.sqrt(len(x))
    for values, expected in (
        (u, reference["mean_energy"]),
        (first, reference["mean_x0"]),
        ((first - reference["mean_x0"]) ** 2, reference["variance_x0"]),
    ):
        assert abs(float(values.mean()) - expected) < 4.5 * float(values.std()) / root
    share = float(target.basin(x).double().mean())
    expected = 1 / (1 + math.exp(reference["basin_free_energy_difference"]))
    assert abs(share - expected) < 4.5 * math.sqrt(expected * (1 - expected) / len(x)) + 1e-12


def test_exact_samples_of_the_double_well_follow_its_distribution_function():
    """Kolmogorov-Smirnov against an integral of the density, at a level of 1e-4."""
    target = bind(DoubleWell(DoubleWellConfig()), "asymmetric-double-well", 1)
    x = np.sort(target.draw(np.random.Generator(np.random.Philox(8)), 20_000)[:, 0])
    grid = np.linspace(-2.5, 2.5, 20_001)
    u = target.reduced_energy(torch.from_numpy(grid[:, None])).numpy()
    cumulative = np.cumsum(np.exp(-u - target.reference_values["log_z"])) * (grid[1] - grid[0])
    expected = np.interp(x, grid, cumulative)
    ranks = np.arange(1, len(x) + 1) / len(x)
    assert np.abs(ranks - expected).max() < 2.23 / math.sqrt(len(x))
