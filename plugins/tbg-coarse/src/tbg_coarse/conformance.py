"""How the conformance tests make the components of this plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from typing_extensions import override

from tbg_coarse.config import CoarseConfig, VectorLangevinConfig
from tbg_coarse.langevin import VectorLangevin
from tbg_coarse.proposal import Coarse
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.testing import DynamicsConformance, ProposalConformance
from tbg_core.testing.parts import Harmonic, n_methylacetamide, plane

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.system import System


class _Fitted(ProposalConformance):
    cvs: tuple[str, ...]

    @override
    def make(self) -> Coarse:
        """Fitted to noise around a reference, and then disturbed: nothing in it is trivial."""
        system = self.system()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)  # noqa: TID251 - torch initialises weights from its global generator
            model = Coarse(Coarse.adapt(CoarseConfig(cvs=self.cvs, width=16, grid=24), [system]))
            model.fit_constants([system], [self.states()])
            for weight in model.fine.parameters():
                weight.data += 0.02 * torch.randn_like(weight)
        return model

    def states(self) -> np.ndarray:
        """Training states [n, *event]."""
        system = self.system()
        noise = np.random.default_rng(1).standard_normal((400, *system.space.event_shape))
        reference = getattr(system, "reference", None)
        return noise if reference is None else reference + 0.004 * noise


class TestCoarseOnAPoint(_Fitted):
    """One coarse coordinate of a point in space."""

    cvs = ("x:1",)

    @override
    def system(self) -> System:
        """R^3."""
        return plane(3)


class TestCoarseOnAMolecule(_Fitted):
    """A torsion of N-methylacetamide."""

    cvs = ("omega",)

    @override
    def system(self) -> System:
        """Twelve atoms."""
        return n_methylacetamide()

    @override
    def test_density_is_normalised(self) -> None:
        """Shown part by part in the tests of the plugin."""
        pytest.skip(
            "torsions on a circle resemble no Gaussian; its volume element is shown by automatic differentiation"
        )


class TestVectorLangevin(DynamicsConformance):
    """A point in a bowl."""

    @override
    def make(self) -> VectorLangevin:
        """With default options."""
        return VectorLangevin(VectorLangevinConfig())

    @override
    def target(self) -> Target:
        """Harmonic."""
        return Harmonic().bind(plane(3), ThermodynamicState())
