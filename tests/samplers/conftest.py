"""A broad Gaussian proposal and toys whose Z is known: by formula, or by quadrature."""

from __future__ import annotations

import math

import pytest
import torch

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import GaussianProposal
from tbg_toys.config import DoubleWellConfig, GaussianMixtureConfig, ToyConfig
from tbg_toys.double_well import DoubleWell
from tbg_toys.gaussian_mixture import GaussianMixture
from tbg_toys.system import ToySource

STATE = ThermodynamicState(300.0)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_proposal(width=1.5):
    proposal = GaussianProposal(Gaussian(GaussianConfig()))
    with torch.no_grad():
        proposal.log_width.fill_(math.log(width))
    return proposal


@pytest.fixture
def proposal():
    """A Gaussian of width 1.5: ESS 10 to 20 % on both targets."""
    return make_proposal()


@pytest.fixture
def mixture():
    """Two Gaussians of weights 0.3 and 0.7; log Z = -2."""
    config = GaussianMixtureConfig(means=((-1.5, 0.0), (1.5, 0.5)), sigmas=(0.4, 0.5), weights=(0.3, 0.7), offset=2.0)
    return GaussianMixture(config).bind(ToySource(ToyConfig(toy="gaussian-mixture")).build(), STATE)


@pytest.fixture
def well():
    """The asymmetric double well; log Z by quadrature."""
    return DoubleWell(DoubleWellConfig()).bind(ToySource(ToyConfig(toy="asymmetric-double-well")).build(), STATE)


@pytest.fixture
def blocks():
    """``blocks(sampler, proposal, target, count, size)``: populations, one after the other."""

    def draw(sampler, proposal, target, count, size, seed=1, prepared=True):
        if prepared:
            sampler.restore(sampler.prepare(proposal, target, seed, "test"))
        return [
            sampler.sample_block(proposal, target, SampleKeys.range(seed, "test", start, start + size))
            for start in range(0, count * size, size)
        ]

    return draw
