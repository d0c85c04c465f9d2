"""How the conformance tests make the objectives that need an energy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.objectives.config import ReverseKLConfig
from tbg_core.objectives.reverse_kl import ReverseKL
from tbg_core.objectives.targets import BoundTargets
from tbg_core.testing import ObjectiveConformance
from tbg_core.testing.parts import Harmonic

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.system import System

STIFFNESS = 10.0


class _Bowls(BoundTargets):
    """An energy that no plugin is needed for."""

    @override
    def of(self, system: System) -> Target:
        return Harmonic(STIFFNESS).bind(system, ThermodynamicState())


class TestReverseKL(ObjectiveConformance):
    """A flow learns a narrow Gaussian from its energy; the data are samples of it, and are not looked at."""

    def make(self) -> ReverseKL:
        """With default options, but for the energy."""
        objective = ReverseKL(ReverseKLConfig())
        objective.targets = _Bowls("harmonic", None)
        return objective

    def data(self, count: int) -> Tensor:
        """What the model should give a high density to."""
        generator = torch.Generator().manual_seed(1)
        shape = self.system().space.event_shape
        noise = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
        return noise / math.sqrt(STIFFNESS)
