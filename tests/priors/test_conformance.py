from __future__ import annotations

from dataclasses import dataclass

from tbg_core.contracts.system import Euclidean, MeanFree, StateSpace
from tbg_core.priors.config import GaussianConfig, HarmonicPriorConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.priors.harmonic import HarmonicPrior
from tbg_core.testing.prior import PriorConformance


@dataclass(frozen=True)
class Toy:
    name: str
    space: StateSpace
    bonds: tuple[tuple[int, int], ...] = ()

    @property
    def key(self):
        return f"toy-{self.name}"


class TestGaussian(PriorConformance):
    def make(self):
        return Gaussian(GaussianConfig(std=1.3))

    def system(self):
        return Toy("r3", Euclidean(3))


class TestMeanFreeGaussian(PriorConformance):
    def make(self):
        return MeanFreeGaussian(MeanFreeGaussianConfig())

    def system(self):
        return Toy("four", MeanFree(4))


class TestHarmonicPrior(PriorConformance):
    def make(self):
        return HarmonicPrior(HarmonicPriorConfig())

    def system(self):
        return Toy("tailed ring", MeanFree(5), ((0, 1), (1, 2), (0, 2), (2, 3), (3, 4)))
