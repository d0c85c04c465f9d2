"""How the conformance tests make the components, and what they try them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig
from tbg_core.testing import (
    FieldConformance,
    ObjectiveConformance,
    ProposalConformance,
    SamplerConformance,
    SdeConformance,
)
from tbg_core.testing.parts import ClassicRK4, CurvedField, PairField, atoms, plane
from tbg_nonequilibrium.config import (
    DenoisingScoreMatchingConfig,
    DiffusionConfig,
    EulerMaruyamaConfig,
    MixtureVelocityConfig,
    PathWeightsConfig,
    StochasticHeunConfig,
)
from tbg_nonequilibrium.mixture import MixtureVelocity
from tbg_nonequilibrium.path_weights import PathWeights
from tbg_nonequilibrium.proposal import DiffusionProposal, StandardNormal
from tbg_nonequilibrium.score_matching import DenoisingScoreMatching
from tbg_nonequilibrium.steps import EulerMaruyama, StochasticHeun

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.system import System
    from tbg_core.randomness import SampleKeys

_NORMAL = MixtureVelocityConfig(means=((0.0, 0.0),), sigmas=(1.0,), weights=(1.0,))


def diffusion(field: VectorField, config: DiffusionConfig | None = None, steps: int = 8) -> DiffusionProposal:
    """A diffusion with the exact parts of the kit."""
    return DiffusionProposal(
        config or DiffusionConfig(dtype="float64"),
        field=field,
        integrator=ClassicRK4(steps),
        likelihood=Augmented(AugmentedConfig()),
    )


class TestEulerMaruyama(SdeConformance):
    """With steps of 1 / 200."""

    tolerance = 1e-2

    def make(self) -> EulerMaruyama:
        """Of first order."""
        return EulerMaruyama(EulerMaruyamaConfig(steps=200))


class TestStochasticHeun(SdeConformance):
    """With steps of 1 / 50."""

    tolerance = 2e-3

    def make(self) -> StochasticHeun:
        """Of second order."""
        return StochasticHeun(StochasticHeunConfig(steps=50))


class TestDiffusionOnAPlane(ProposalConformance):
    """With a field that is no diffusion's: its density is exact all the same."""

    def make(self) -> DiffusionProposal:
        """In float64."""
        return diffusion(CurvedField(2))

    def system(self) -> System:
        """A plane."""
        return plane(2)


class TestDiffusionOfAtoms(ProposalConformance):
    """Mean-free, in nanometres."""

    def make(self) -> DiffusionProposal:
        """With a length scale."""
        return diffusion(PairField(0.5), DiffusionConfig(dtype="float64", length_scale_nm=0.3))

    def system(self) -> System:
        """Three points."""
        return atoms(3)


class TestMixtureVelocity(FieldConformance):
    """Three Gaussians of different widths in two dimensions."""

    def make(self) -> MixtureVelocity:
        """Without symmetry."""
        config = MixtureVelocityConfig(
            means=((-1.0, 0.3), (1.2, -0.4), (0.0, 1.5)), sigmas=(0.5, 0.8, 1.6), weights=(1.0, 2.0, 0.7)
        )
        return MixtureVelocity(config)

    def system(self) -> System:
        """A plane."""
        return plane(2)


class TestDenoisingScoreMatching(ObjectiveConformance):
    """On a diffusion with a small network."""

    def make(self) -> DenoisingScoreMatching:
        """The default."""
        return DenoisingScoreMatching(DenoisingScoreMatchingConfig())

    @override
    def proposal(self) -> DiffusionProposal:
        """Untrained."""
        return diffusion(CurvedField(2), steps=6)


class TestPathWeights(SamplerConformance):
    """With the score of a standard normal density, which is wider than the target."""

    def make(self) -> PathWeights:
        """Few steps, for the weights are right for any number."""
        return PathWeights(PathWeightsConfig(steps=12))

    @override
    def proposal(self) -> DiffusionProposal:
        """q is standard normal."""
        return diffusion(MixtureVelocity(_NORMAL))

    @override
    def failing(self) -> DiffusionProposal:
        """Every third path begins nowhere."""
        made = self.proposal()
        made.prior = _Failing()
        return made


class _Failing(StandardNormal):
    @override
    def sample(self, keys: SampleKeys, system: System) -> Tensor:
        x = super().sample(keys, system)
        bad = torch.from_numpy(keys.index % 3 == 0).view(-1, *(1,) * (x.ndim - 1))
        return torch.where(bad, torch.nan, x)
