"""How the conformance tests make the priors that are for neither molecules nor points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.contracts.system import Logits
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import LogitGaussian
from tbg_core.testing import PriorConformance
from tbg_core.testing.parts import Point

if TYPE_CHECKING:
    from tbg_core.contracts.system import System


class TestLogitGaussian(PriorConformance):
    """Three variables of three classes, whose shape is that of three atoms."""

    def make(self) -> LogitGaussian:
        """Narrower than the default."""
        return LogitGaussian(GaussianConfig(std=0.7))

    def system(self) -> System:
        """Nothing but its space."""
        return Point(Logits(3, 3))
