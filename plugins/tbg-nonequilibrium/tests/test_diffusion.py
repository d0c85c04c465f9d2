"""Diffusion as a proposal: its density, its score, its training, and the weights of its paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.contracts.system import Batch
from tbg_core.errors import ConfigError
from tbg_core.objectives.config import FlowMatchingConfig
from tbg_core.objectives.flow_matching import FlowMatching
from tbg_core.randomness import SampleKeys
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_core.testing.parts import CurvedField, GaussianProposal, plane
from tbg_nonequilibrium.config import (
    DenoisingScoreMatchingConfig,
    EulerMaruyamaConfig,
    MixtureVelocityConfig,
    PathWeightsConfig,
    StochasticHeunConfig,
)
from tbg_nonequilibrium.conformance import diffusion
from tbg_nonequilibrium.mixture import Mixture, MixtureVelocity
from tbg_nonequilibrium.path_weights import PathWeights
from tbg_nonequilibrium.process import LearnedDiffused
from tbg_nonequilibrium.proposal import StandardNormal
from tbg_nonequilibrium.score_matching import DenoisingScoreMatching
from tbg_nonequilibrium.steps import EulerMaruyama, StochasticHeun
from tbg_nonequilibrium.weights import compare
from tbg_toys.config import GaussianMixtureConfig, MLPConfig
from tbg_toys.gaussian_mixture import GaussianMixture
from tbg_toys.mlp import MLP
from tbg_toys.system import ToySystem

LINE = ToySystem("gaussian-mixture", 1)
OFFSET = 2.5
PARTS = {"means": ((-1.0,), (1.2,)), "sigmas": (0.5, 0.8), "weights": (0.4, 0.6)}
EXACT = Mixture(**PARTS)


def keys(stream, count, seed=3):
    return SampleKeys.range(seed, stream, 0, count)


def exact_model(steps=40):
    return diffusion(MixtureVelocity(MixtureVelocityConfig(**PARTS)), steps=steps)


def target(offset=OFFSET):
    return GaussianMixture(GaussianMixtureConfig(**PARTS, offset=offset)).bind(LINE, ThermodynamicState())


@pytest.mark.parametrize("t", [0.0, 0.05, 0.7, 3.0])
def test_the_flow_of_the_exact_score_has_the_exact_density(t):
    """At the data and at every time: the flow begins at t = infinity, so that no final time leaves an error."""
    x = keys("x", 9).normal((1,)) * 1.5
    with torch.no_grad():
        found = LearnedDiffused(exact_model(), LINE).log_density(t, x)
    assert (found - EXACT.log_density(t, x)).abs().max() < 1e-5


def test_the_score_follows_from_the_velocity():
    x = keys("x", 9).normal((1,))
    learned = LearnedDiffused(exact_model(), LINE)
    for t in (1e-4, 0.01, 0.5, 8.0):
        times = x.new_full((9,), t)
        assert (learned.score(times, x) - EXACT.score(times, x)).abs().max() < 1e-9


def test_learned_scores_come_near_the_exact_one():
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251 - torch initialises weights from its global generator
        model = diffusion(MLP(MLPConfig(dim=1, width=32, depth=2)))
    objective = DenoisingScoreMatching(DenoisingScoreMatchingConfig())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    data, batch = EXACT.data(keys("data", 4096)), Batch.single(LINE, 512)

    def error():
        learned, x = LearnedDiffused(model, LINE), EXACT.sample(keys("points", 500), 0.3)
        times = x.new_full((500,), 0.3)
        return float((learned.score(times, x) - EXACT.score(times, x)).square().mean())

    before = error()
    for step in range(400):
        chosen = torch.from_numpy(np.random.default_rng(step).integers(len(data), size=512))
        optimizer.zero_grad()
        objective.loss(model, data[chosen], batch, keys(str(step), 512)).backward()
        optimizer.step()
    assert error() < 0.02 < before


def test_data_of_two_symmetric_wells_are_learned():
    """As wide as the noise, they hold training up at one Gaussian; the model takes a unit in which they are wider."""
    wells = Mixture.symmetric(0.95, 0.27)
    x = wells.data(keys("wells", 4096))
    with torch.random.fork_rng():
        torch.manual_seed(0)  # noqa: TID251 - torch initialises weights from its global generator
        model = diffusion(MLP(MLPConfig(dim=1, width=32, depth=2)))
    model.fit_constants([plane(1)], [x.numpy()])
    assert float(model.length_scale) == pytest.approx(0.5 * float(x.std()), rel=1e-3)
    objective = DenoisingScoreMatching(DenoisingScoreMatchingConfig())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(500):
        chosen = torch.from_numpy(np.random.default_rng(step).integers(len(x), size=256))
        optimizer.zero_grad()
        objective.loss(model, x[chosen], Batch.single(LINE, 256), keys(str(step), 256)).backward()
        optimizer.step()
    with torch.no_grad():
        log_q = model.log_prob(x[:500], LINE).log_q
    # Kullback-Leibler divergence of the model; that of the best single Gaussian is 0.6.
    assert float((wells.log_density(0.0, x[:500]) - log_q).mean()) < 0.1


def test_objectives_refuse_what_they_would_train_wrongly():
    batch = Batch.single(LINE, 4)
    x = torch.zeros(4, 1, dtype=torch.float64)
    with pytest.raises(ConfigError, match="not DiffusionProposal"):
        FlowMatching(FlowMatchingConfig()).loss(diffusion(CurvedField(1)), x, batch, keys("a", 4))
    other = GaussianProposal(StandardNormal())
    with pytest.raises(ConfigError, match="trains diffusions, not GaussianProposal"):
        DenoisingScoreMatching(DenoisingScoreMatchingConfig()).loss(other, x, batch, keys("a", 4))
    with pytest.raises(ConfigError, match="reverses diffusions, not GaussianProposal"):
        PathWeights(PathWeightsConfig()).sample_block(other, target(), keys("a", 4))


class Wrong(MixtureVelocity):
    """A velocity that is 20 % too small, off centre too."""

    def forward(self, t, x, batch, condition=None):
        return 0.8 * super().forward(t, x, batch) + 0.1


@pytest.mark.parametrize("steps", [3, 12, 100])
@pytest.mark.parametrize("field", [MixtureVelocity, Wrong])
def test_path_weights_have_the_mean_z_for_any_score_and_any_number_of_steps(steps, field):
    model = diffusion(field(MixtureVelocityConfig(**PARTS)))
    made = PathWeights(PathWeightsConfig(steps=steps)).sample_block(model, target(), keys("paths", 8000))
    weights = np.exp(made.log_weights + OFFSET)  # Z = exp(-offset)
    error = weights.std() / math.sqrt(len(weights))
    assert error < 0.1
    assert abs(weights.mean() - 1.0) < 4 * error


def test_with_the_exact_score_weights_become_even_as_steps_get_short():
    shares = []
    for steps in (8, 32, 128):
        made = PathWeights(PathWeightsConfig(steps=steps)).sample_block(exact_model(), target(), keys("paths", 2000))
        shares.append(made.ess_fraction)
    assert shares == sorted(shares)
    assert shares[-1] > 0.95


def test_paths_and_density_agree_on_log_z():
    found = compare(exact_model(), target(), 1000, seed=1)
    assert len(found) == 4
    for worth in found:
        assert worth.exact_log_z == pytest.approx(-OFFSET)
        assert abs(worth.log_z + OFFSET) < 4 * worth.log_z_err + 1e-5
    density = ImportanceSampler(ImportanceSamplerConfig()).sample_block(exact_model(), target(), keys("q", 100))
    assert np.abs(density.log_weights + OFFSET).max() < 1e-3


@pytest.mark.parametrize(
    ("method", "config", "order"), [(EulerMaruyama, EulerMaruyamaConfig, 1), (StochasticHeun, StochasticHeunConfig, 2)]
)
def test_weak_order(method, config, order):
    """The variance of dX = -X dt + sqrt(2) dW from X = 0, which a step multiplies and adds to by known numbers."""
    exact = -math.expm1(-4.0)
    x0 = torch.zeros(40_000, 1, dtype=torch.float64)
    errors = []
    for steps in (4, 8):
        solver = method(config(steps=steps))
        x = solver.integrate(
            lambda t, x, rows: -x, lambda t, dw: math.sqrt(2) * dw, x0, 0.0, 2.0, keys("weak", 40_000)
        ).x
        errors.append(float(x.var()) - exact)
        h = 2.0 / steps
        keep, noise = (1 - h, 1.0) if order == 1 else (1 - h + h * h / 2, 1 - h / 2)
        known = 2 * h * noise**2 * (1 - keep ** (2 * steps)) / (1 - keep**2)
        assert abs(float(x.var()) - known) < 5 * known * math.sqrt(2 / 40_000)
    assert abs(errors[1]) < abs(errors[0])
