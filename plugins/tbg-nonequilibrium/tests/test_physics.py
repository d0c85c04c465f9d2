"""Closed forms, theorems and estimates, against exact values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.randomness import SampleKeys
from tbg_nonequilibrium.config import StochasticHeunConfig
from tbg_nonequilibrium.fluctuations import detailed_theorem, integral_theorem
from tbg_nonequilibrium.franz_parisi import franz_parisi, log_partition
from tbg_nonequilibrium.landscape import between, instability_time, measured_speciation, phase, speciation_time
from tbg_nonequilibrium.mixture import Mixture
from tbg_nonequilibrium.process import forward, generative
from tbg_nonequilibrium.rates import rates_by_quadrature, rates_of_samples
from tbg_nonequilibrium.steps import StochasticHeun
from tbg_nonequilibrium.thermodynamics import Data, borrowed, entropies

HEUN = StochasticHeun(StochasticHeunConfig(steps=200))


def keys(stream, count):
    return SampleKeys.range(3, stream, 0, count)


class WrongScore(Mixture):
    """Its score is a third too large; its densities are right."""

    def score(self, t, x):
        return 1.3 * super().score(t, x)


@pytest.mark.parametrize("dim", [1, 3])
def test_the_score_is_the_gradient_of_the_density(dim):
    p = Mixture.symmetric(1.2, 0.6, dim)
    x = keys("x", 7).normal((dim,)).requires_grad_()
    for t in (0.0, 0.3, 2.0):
        (gradient,) = torch.autograd.grad(p.log_density(t, x).sum(), x)
        assert (p.score(x.new_full((7,), t), x) - gradient).abs().max() < 1e-12


def test_published_times():
    """Yu and Huang: 0.42622 at mu = 1, s^2 = 0.1; half ln 2 at mu = s = 1."""
    assert speciation_time(1.0, math.sqrt(0.1)) == pytest.approx(0.42622, abs=5e-6)
    assert speciation_time(1.0, 1.0) == pytest.approx(0.5 * math.log(2.0), abs=1e-12)
    assert speciation_time(2.0, 1.0) == pytest.approx(0.5 * math.log(8.0), abs=1e-12)
    assert instability_time(1.5) == pytest.approx(0.5 * math.log(1.25))
    assert [phase(1.0, 0.8), phase(0.4, 1.0), phase(4.0, 1.5)] == [
        "stable breaking",
        "no breaking",
        "unstable breaking",
    ]


@pytest.mark.parametrize(("mu", "s"), [(1.0, 1.0), (1.0, 0.3), (2.0, 0.7)])
def test_the_potential_splits_when_the_formula_says(mu, s):
    assert measured_speciation(Mixture.symmetric(mu, s), torch.zeros(1, 1)) == pytest.approx(
        speciation_time(mu, s), abs=1e-5
    )


def test_the_potential_is_searched_along_the_data():
    """Away from the middle U stays convex longer: a search along the axis finds the same time, in any direction."""
    p = Mixture(((0.8, 0.6), (-0.8, -0.6)), (0.5, 0.5), (0.5, 0.5))
    origins = between(torch.cat([p.data(keys("axis", 2000)), -p.data(keys("axis", 2000))]))
    assert measured_speciation(p, origins) == pytest.approx(speciation_time(1.0, 0.5), abs=1e-4)


def test_a_potential_that_never_splits():
    assert math.isnan(measured_speciation(Mixture.symmetric(0.4, 1.0), torch.zeros(1, 1)))


@pytest.mark.parametrize("direction", [forward, generative])
def test_both_theorems_hold_in_either_direction(direction):
    process = direction(Mixture.symmetric(1.0, 1.0), 3.0)
    found = entropies(process, HEUN, keys("theorem", 4000))
    mirror = entropies(process.conjugate, HEUN, keys("mirror", 4000))
    theorem = integral_theorem(found.total)
    assert theorem.decidable
    assert abs(theorem.deviation) < 4
    assert theorem.mean > 0
    detailed = detailed_theorem(found.total, mirror.total)
    assert abs(detailed.slope - 1.0) < 4 * detailed.slope_err
    assert detailed.slope_err < 0.2


def test_a_wrong_score_is_found_out():
    """By noised data run backwards; for its own trajectories the theorem holds whatever drives them."""
    right, wrong = (
        integral_theorem(borrowed(p, 3.0, HEUN, keys("test", 4000)).total)
        for p in (Mixture.symmetric(1.0, 1.0), WrongScore(((1.0,), (-1.0,)), (1.0, 1.0), (0.5, 0.5)))
    )
    assert abs(right.deviation) < 4
    assert abs(wrong.deviation) > 6


@pytest.mark.parametrize("right", [True, False])
def test_data_of_a_target_tell_its_score_from_that_of_another_density(right):
    """One Gaussian is consistent with itself, but is not the two of the data; weighted draws of others will do."""
    target, wide = Mixture.symmetric(1.0, 0.6), Mixture.symmetric(1.0, 0.8)
    p = target if right else Mixture(((0.0,),), (math.sqrt(1.36),), (1.0,))
    x = wide.data(keys("wide", 4000))
    data = Data(x, target.log_density(0.0, x), (target.log_density(0.0, x) - wide.log_density(0.0, x)).numpy())
    own = integral_theorem(borrowed(p, 3.0, HEUN, keys("own", 4000)).total)
    assert abs(own.deviation) < 4
    found = borrowed(p, 3.0, HEUN, keys("target", 4000), data)
    theorem = integral_theorem(found.total, found.log_weights)
    assert theorem.decidable
    assert (abs(theorem.deviation) < 4) == right


def test_weights_of_trajectories_count_them():
    total = keys("total", 50).normal(()).numpy()
    twice = integral_theorem(total, np.where(np.arange(50) < 25, math.log(2.0), 0.0))
    doubled = integral_theorem(np.concatenate([total, total[:25]]))
    assert twice.exponential == pytest.approx(doubled.exponential)
    assert twice.mean == pytest.approx(doubled.mean)
    assert integral_theorem(total).mean_err == pytest.approx(total.std(ddof=1) / math.sqrt(50))


def test_entropy_changes_by_production_less_flux():
    """dS/dt = pi - phi of the forward process, by differences of the entropy along time."""
    p, times = Mixture.symmetric(1.0, 0.5), np.linspace(0.1, 2.0, 381)
    r = rates_by_quadrature(p, times.tolist())
    slope = np.gradient(r.entropy, times)[1:-1]
    assert np.abs(slope - (r.production - r.flux)[1:-1]).max() < 1e-3  # of the differences
    assert (np.diff(r.production) < 0).all()  # towards equilibrium it falls
    assert r.flux_turns < times[-1]


def test_rates_of_samples_are_those_of_the_quadrature():
    p = Mixture.symmetric(1.0, 0.7, 2)
    exact = rates_by_quadrature(p, [0.5])
    sampled = rates_of_samples(p, [0.5], [p.sample(keys("rates", 20_000), 0.5)])
    for name in ("production", "flux", "flux_reverse", "entropy"):
        error = getattr(sampled, f"{name}_err")[0]
        assert abs(getattr(sampled, name)[0] - getattr(exact, name)[0]) < 4 * error, name


def test_franz_parisi_of_one_gaussian_is_known():
    """For p_0 = N(0, 1), H = (x - a x_0)^2 / 2 (1 - a^2) + x_0^2 / 2 + const: V in closed form by hand."""
    p, t = Mixture(((0.0,),), (1.0,), (1.0,)), 0.3
    origin, state = torch.tensor([[0.4]], dtype=torch.float64), torch.tensor([[-0.2]], dtype=torch.float64)
    q, a = 0.81, math.exp(-t)
    weights = [
        math.exp(-((-0.2 - a * o) ** 2) / (2 * (1 - a * a)) - o * o / 2) / math.sqrt(2 * math.pi) for o in (1.3, -0.5)
    ]
    exact = math.log(sum(weights) / (2 * math.sqrt(q)))
    found = log_partition(p, t, origin, state, torch.tensor([q], dtype=torch.float64))
    assert float(found) == pytest.approx(exact, abs=1e-12)


def test_franz_parisi_derivatives_are_those_of_v():
    p, q, h = Mixture.symmetric(1.0, math.sqrt(0.1)), 1.5, 1e-4
    found = franz_parisi(p, 0.42, [q - h, q, q + h], keys("collapse", 400))
    assert (found.v[2] - found.v[0]) / (2 * h) == pytest.approx(found.first[1], rel=1e-5)
    assert (found.first[2] - found.first[0]) / (2 * h) == pytest.approx(found.second[1], rel=1e-5)
