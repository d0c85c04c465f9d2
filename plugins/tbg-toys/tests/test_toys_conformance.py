"""The toys pass the conformance kit."""

from __future__ import annotations

import pytest
import torch

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.testing import (
    DynamicsConformance,
    EnergyConformance,
    FieldConformance,
    PriorConformance,
    SystemConformance,
)
from tbg_toys.config import (
    DoubleWellConfig,
    ExactSamplerConfig,
    GaussianMixtureConfig,
    LinearConfig,
    MLPConfig,
    MuellerBrownConfig,
    ToyConfig,
)
from tbg_toys.double_well import DoubleWell
from tbg_toys.exact_sampler import ExactSampler
from tbg_toys.gaussian_mixture import GaussianMixture
from tbg_toys.linear import Linear
from tbg_toys.mlp import MLP
from tbg_toys.mueller_brown import MuellerBrown
from tbg_toys.system import ToySource, ToySystem


class TestToySource(SystemConformance):
    accepted = (
        "double-well",
        "double-well:5",
        "asymmetric-double-well",
        "mueller-brown",
        "gaussian-mixture:1",
        "gaussian",
    )
    foreign = ("GF", "ACE-ALA-NME", "double-well.pdb", "double", "gaussian:", "gaussian:x", "")
    refused = ("mueller-brown:3",)

    def source(self):
        return ToySource

    def config(self):
        return ToyConfig


class TestDoubleWell(EnergyConformance):
    def make(self):
        return DoubleWell(DoubleWellConfig())

    def system(self):
        return ToySystem("double-well", 3)


class TestAsymmetricDoubleWell(EnergyConformance):
    temperature_K = 450.0

    def make(self):
        return DoubleWell(DoubleWellConfig(a=0.7))

    def system(self):
        return ToySystem("asymmetric-double-well", 1)


class TestMuellerBrown(EnergyConformance):
    def make(self):
        return MuellerBrown(MuellerBrownConfig())

    def system(self):
        return ToySystem("mueller-brown")

    def states(self):
        return 0.5 * super().states()


class TestGaussianMixture(EnergyConformance):
    def make(self):
        return GaussianMixture(GaussianMixtureConfig(offset=3.0))

    def system(self):
        return ToySystem("gaussian-mixture", 4)


class TestMLP(FieldConformance):
    def make(self):
        with torch.random.fork_rng():
            return MLP(MLPConfig(dim=3, width=16))

    def system(self):
        return ToySystem("double-well", 3)

    # One field for the whole class: its weights are drawn at random.
    @pytest.fixture(autouse=True)
    def _one_field(self):
        field = self.make()
        self.make = lambda: field


class TestLinear(FieldConformance):
    def make(self):
        return Linear(LinearConfig(ramp=0.7))

    def system(self):
        return ToySystem("gaussian")


class TestGaussianPriorOnAToy(PriorConformance):
    def make(self):
        return Gaussian(GaussianConfig(std=0.8))

    def system(self):
        return ToySystem("double-well", 3)


class ExactSamplerConformance(DynamicsConformance):
    def make(self):
        return ExactSampler(ExactSamplerConfig())


class TestExactSamplerOfDoubleWell(ExactSamplerConformance):
    def target(self):
        return DoubleWell(DoubleWellConfig()).bind(ToySystem("double-well", 3), ThermodynamicState())


class TestExactSamplerOfMuellerBrown(ExactSamplerConformance):
    def target(self):
        return MuellerBrown(MuellerBrownConfig()).bind(ToySystem("mueller-brown"), ThermodynamicState())


class TestExactSamplerOfGaussianMixture(ExactSamplerConformance):
    def target(self):
        return GaussianMixture(GaussianMixtureConfig()).bind(ToySystem("gaussian-mixture"), ThermodynamicState())
