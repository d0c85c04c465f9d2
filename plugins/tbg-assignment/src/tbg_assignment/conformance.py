"""How the conformance tests make the components of this plugin, and what they try them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tbg_assignment.config import (
    AssignmentConfig,
    FisherRaoConfig,
    LabelObservablesConfig,
    LabelSamplerConfig,
    LabelsConfig,
    LabelTableConfig,
    NetworkConfig,
    PottsConfig,
)
from tbg_assignment.embedding import Embedding
from tbg_assignment.network import AssignmentNetwork
from tbg_assignment.objective import FisherRaoMatching
from tbg_assignment.observables import LabelObservables
from tbg_assignment.proposal import AssignmentFlow
from tbg_assignment.sampler import LabelSampler
from tbg_assignment.system import LabelSource, LabelSystem
from tbg_assignment.target import LabelTable, Potts
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import LogitGaussian
from tbg_core.testing import (
    DynamicsConformance,
    EnergyConformance,
    FieldConformance,
    ObjectiveConformance,
    ObservableConformance,
    ProposalConformance,
    SystemConformance,
)
from tbg_core.testing.parts import ClassicRK4

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.field import VectorField


def label_system(text: str) -> LabelSystem:
    """The system that a text means."""
    return LabelSource(LabelsConfig.model_validate(LabelSource.parse(text))).build()


class TestLabelSource(SystemConformance):
    """Texts with and without sizes and seeds."""

    accepted = (
        "potts-chain",
        "potts-grid:2x3x3",
        "potts-random:5x3:2",
        "potts-random:5x3:3",
        "coupled-binary",
        "pinwheel:8",
        "eight-gaussians",
        "categorical:3x5:1",
    )
    foreign = ("GF", "ACE-ALA-NME", "double-well:5", "potts", "pinwheel:", "pinwheel:x", "labels:", "")
    refused = ("potts-chain:3", "potts-chain:0x2", "potts-chain:3x1", "pinwheel:8:3", "labels:/no/such/file.json")

    def source(self) -> type[LabelSource]:
        """The source."""
        return LabelSource

    def config(self) -> type[LabelsConfig]:
        """Its options."""
        return LabelsConfig


class _Energy(EnergyConformance):
    def states(self) -> Tensor:
        """States around labellings, and one between them."""
        space = self.system().space
        generator = torch.Generator().manual_seed(2)
        x = torch.randn(5, *space.event_shape, generator=generator, dtype=torch.float64)
        return space.project(x * torch.tensor([0.5, 3.0, 3.0, 5.0, 8.0], dtype=torch.float64)[:, None, None])


class TestPotts(_Energy):
    """A grid."""

    def make(self) -> Potts:
        """The default."""
        return Potts(PottsConfig())

    def system(self) -> LabelSystem:
        """Six variables of three classes."""
        return label_system("potts-grid:2x3x3")


class TestPottsGlass(_Energy):
    """Random couplings, wide cones, at another temperature."""

    temperature_K = 450.0

    def make(self) -> Potts:
        """Cut Gaussians."""
        return Potts(PottsConfig(radius=2.0, width=1.5))

    def system(self) -> LabelSystem:
        """Four variables of four classes."""
        return label_system("potts-random:4x4:1")


class TestLabelTable(_Energy):
    """A discretised density."""

    def make(self) -> LabelTable:
        """The default."""
        return LabelTable(LabelTableConfig())

    def system(self) -> LabelSystem:
        """Two variables of six classes."""
        return label_system("pinwheel:6")


class TestLabelSampler(DynamicsConformance):
    """Exact samples of a chain."""

    def make(self) -> LabelSampler:
        """The sampler."""
        return LabelSampler(LabelSamplerConfig())

    def target(self) -> Target:
        """Four variables of three classes."""
        return Potts(PottsConfig()).bind(label_system("potts-chain:4x3"), ThermodynamicState())


def _network(variables: int = 2, width: int = 16, output: str = "posterior") -> AssignmentNetwork:
    """A small network of three classes, with weights at random."""
    sizes = {"variables": variables, "classes": 3, "width": width, "depth": 2, "output": output}
    with torch.random.fork_rng():
        torch.manual_seed(3)  # noqa: TID251 - torch initialises weights from its global generator
        return AssignmentNetwork(NetworkConfig.model_validate(sizes))


class TestPosteriorNetwork(FieldConformance):
    """The default, with weights at random."""

    output = "posterior"

    def make(self) -> VectorField:
        """A small network."""
        return _network(variables=3, output=self.output)

    def system(self) -> LabelSystem:
        """As many variables as classes."""
        return label_system("potts-chain:3x3")


class TestVelocityNetwork(TestPosteriorNetwork):
    """As in the paper."""

    output = "velocity"


def flow(field: VectorField, t_end: float = 10.0, steps: int = 60) -> AssignmentFlow:
    """An assignment flow in double precision with exact parts."""
    return AssignmentFlow(
        AssignmentConfig(dtype="float64", t_end=t_end),
        prior=LogitGaussian(GaussianConfig()),
        field=field,
        integrator=ClassicRK4(steps),
        likelihood=Augmented(AugmentedConfig()),
    )


class TestAssignmentFlow(ProposalConformance):
    """A flow that is stopped before labels part, so that one Gaussian resembles its density."""

    samples = 1500

    def make(self) -> AssignmentFlow:
        """A network with weights at random."""
        return flow(_network(width=16), t_end=1.0, steps=12)

    def system(self) -> LabelSystem:
        """Any of that size."""
        return label_system("potts-chain:2x3")


class TestFisherRaoMatching(ObjectiveConformance):
    """A network learns in which cones the data lie."""

    gain = 1.0

    def make(self) -> FisherRaoMatching:
        """Times at which labels are decided."""
        return FisherRaoMatching(FisherRaoConfig(rate=1.0))

    def system(self) -> LabelSystem:
        """Two variables of three classes."""
        return label_system("potts-chain:2x3")

    def proposal(self) -> AssignmentFlow:
        """A small network."""
        return flow(_network(width=24), t_end=6.0, steps=24)

    def data(self, count: int) -> Tensor:
        """Two labellings of nine, so that log 4.5 is to be gained."""
        rng = np.random.default_rng(1)
        labels = np.array([[0, 0], [1, 2]])[rng.integers(2, size=count)]
        return torch.from_numpy(Embedding(self.system().space, 6.0, 1.0).draw(labels, rng))

    def changed(self, x: Tensor) -> Tensor:
        """Other labels: a shift of all logits changes none."""
        return x.roll(1, dims=-1)


class TestLabelObservables(ObservableConformance):
    """Five variables of three classes."""

    texts = ("label:4", "label:4=2", "agree:0,4")
    foreign = ("", "x:1", "phi", "labels")
    refused = ("label:5", "label:0=3", "agree:0,5", "label:0,1", "label:")

    def make(self) -> LabelObservables:
        """The source."""
        return LabelObservables(LabelObservablesConfig())

    def system(self) -> LabelSystem:
        """A chain."""
        return label_system("potts-chain:5x3")
