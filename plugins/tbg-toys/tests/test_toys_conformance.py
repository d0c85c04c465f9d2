"""The toys pass the conformance kit."""

from __future__ import annotations

import pytest
import torch

from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.testing import FieldConformance, PriorConformance
from tbg_toys.config import LinearConfig, MLPConfig
from tbg_toys.conformance import (
    TestAsymmetricDoubleWell,
    TestDoubleWell,
    TestExactSamplerOfDoubleWell,
    TestExactSamplerOfGaussianMixture,
    TestExactSamplerOfMuellerBrown,
    TestGaussianMixture,
    TestMuellerBrown,
    TestToySource,
)
from tbg_toys.linear import Linear
from tbg_toys.mlp import MLP
from tbg_toys.system import ToySystem

__all__ = [
    "TestAsymmetricDoubleWell",
    "TestDoubleWell",
    "TestExactSamplerOfDoubleWell",
    "TestExactSamplerOfGaussianMixture",
    "TestExactSamplerOfMuellerBrown",
    "TestGaussianMixture",
    "TestMuellerBrown",
    "TestToySource",
]


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
