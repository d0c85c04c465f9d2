"""How the conformance tests make the toys, and what they try them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.testing import DynamicsConformance, EnergyConformance, SystemConformance
from tbg_toys.config import (
    DoubleWellConfig,
    ExactSamplerConfig,
    GaussianMixtureConfig,
    MuellerBrownConfig,
    ToyConfig,
)
from tbg_toys.double_well import DoubleWell
from tbg_toys.exact_sampler import ExactSampler
from tbg_toys.gaussian_mixture import GaussianMixture
from tbg_toys.mueller_brown import MuellerBrown
from tbg_toys.system import ToySource, ToySystem

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.energy import Target


class TestToySource(SystemConformance):
    """Names with and without a dimension."""

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

    def source(self) -> type[ToySource]:
        """The source."""
        return ToySource

    def config(self) -> type[ToyConfig]:
        """Its options."""
        return ToyConfig


class TestDoubleWell(EnergyConformance):
    """In three dimensions."""

    def make(self) -> DoubleWell:
        """The default."""
        return DoubleWell(DoubleWellConfig())

    def system(self) -> ToySystem:
        """The symmetric one."""
        return ToySystem("double-well", 3)


class TestAsymmetricDoubleWell(EnergyConformance):
    """In one dimension, at another temperature."""

    temperature_K = 450.0

    def make(self) -> DoubleWell:
        """With wells nearer to each other."""
        return DoubleWell(DoubleWellConfig(a=0.7))

    def system(self) -> ToySystem:
        """The tilted one."""
        return ToySystem("asymmetric-double-well", 1)


class TestMuellerBrown(EnergyConformance):
    """Near the minima, where energies are of the order of kT."""

    def make(self) -> MuellerBrown:
        """The default."""
        return MuellerBrown(MuellerBrownConfig())

    def system(self) -> ToySystem:
        """The only one."""
        return ToySystem("mueller-brown")

    def states(self) -> Tensor:
        """Half as far from the origin as usual."""
        return 0.5 * super().states()


class TestGaussianMixture(EnergyConformance):
    """In four dimensions, with an offset."""

    def make(self) -> GaussianMixture:
        """The default mixture."""
        return GaussianMixture(GaussianMixtureConfig(offset=3.0))

    def system(self) -> ToySystem:
        """Two components."""
        return ToySystem("gaussian-mixture", 4)


class _Sampled(DynamicsConformance):
    def make(self) -> ExactSampler:
        """The sampler."""
        return ExactSampler(ExactSamplerConfig())


class TestExactSamplerOfDoubleWell(_Sampled):
    """By rejection along the first coordinate."""

    def target(self) -> Target:
        """A well."""
        return DoubleWell(DoubleWellConfig()).bind(ToySystem("double-well", 3), ThermodynamicState())


class TestExactSamplerOfMuellerBrown(_Sampled):
    """By rejection on cells of the plane."""

    def target(self) -> Target:
        """The surface."""
        return MuellerBrown(MuellerBrownConfig()).bind(ToySystem("mueller-brown"), ThermodynamicState())


class TestExactSamplerOfGaussianMixture(_Sampled):
    """By choosing a component."""

    def target(self) -> Target:
        """Two components."""
        return GaussianMixture(GaussianMixtureConfig()).bind(ToySystem("gaussian-mixture"), ThermodynamicState())
