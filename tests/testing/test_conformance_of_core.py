"""The core's own likelihood rules, flow, objective and sampler pass the conformance kit."""

from __future__ import annotations

import pytest
import torch

from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, DiscreteConfig, FlowConfig, HutchinsonConfig, QuadratureConfig
from tbg_core.flows.discrete import Discrete
from tbg_core.flows.hutchinson import Hutchinson
from tbg_core.flows.proposal import FlowProposal
from tbg_core.flows.quadrature import Quadrature
from tbg_core.objectives.config import FlowMatchingConfig
from tbg_core.objectives.flow_matching import FlowMatching
from tbg_core.priors.config import GaussianConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_core.testing import (
    LikelihoodConformance,
    ObjectiveConformance,
    ProposalConformance,
    SamplerConformance,
)
from tbg_core.testing.parts import ClassicRK4, CurvedField, PairField, atoms, plane


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


class TestAugmented(LikelihoodConformance):
    def make(self):
        return Augmented(AugmentedConfig())


class TestQuadrature(LikelihoodConformance):
    def make(self):
        return Quadrature(QuadratureConfig(nodes=15))


class TestDiscrete(LikelihoodConformance):
    def make(self):
        return Discrete(DiscreteConfig(max_rows=3, tolerance=1e-12))


class TestHutchinson(LikelihoodConformance):
    def make(self):
        return Hutchinson(HutchinsonConfig(probes=2))


class TestFlowOnAPlane(ProposalConformance):
    def make(self):
        parts = {"integrator": ClassicRK4(8), "likelihood": Augmented(AugmentedConfig())}
        prior = Gaussian(GaussianConfig())
        return FlowProposal(FlowConfig(dtype="float64"), prior=prior, field=CurvedField(2), **parts)

    def system(self):
        return plane(2)


class TestFlowOfAtoms(ProposalConformance):
    def make(self):
        parts = {"integrator": ClassicRK4(8), "likelihood": Augmented(AugmentedConfig())}
        prior, config = MeanFreeGaussian(MeanFreeGaussianConfig()), FlowConfig(dtype="float64", length_scale_nm=0.3)
        return FlowProposal(config, prior=prior, field=PairField(0.5), **parts)

    def system(self):
        return atoms(3)


class TestFlowMatching(ObjectiveConformance):
    def make(self):
        return FlowMatching(FlowMatchingConfig())


class TestImportanceSampler(SamplerConformance):
    def make(self):
        return ImportanceSampler(ImportanceSamplerConfig())
