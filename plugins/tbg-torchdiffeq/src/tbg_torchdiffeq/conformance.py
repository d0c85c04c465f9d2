"""How ``tbg plugins check`` makes the component of this plugin: with steps of its own choice, and on a grid."""

from __future__ import annotations

from tbg_core.testing import IntegratorConformance
from tbg_torchdiffeq.config import TorchdiffeqConfig
from tbg_torchdiffeq.integrator import Torchdiffeq


class TestDopri5(IntegratorConformance):
    """Steps of its own choice."""

    tolerance = 1e-8
    path_tolerance = 1e-7

    def make(self) -> Torchdiffeq:
        """Tight tolerances."""
        return Torchdiffeq(TorchdiffeqConfig(method="dopri5", rtol=1e-10, atol=1e-10))


class TestRK4(IntegratorConformance):
    """A grid."""

    tolerance = 1e-7
    path_tolerance = 1e-6

    def make(self) -> Torchdiffeq:
        """A hundred steps."""
        return Torchdiffeq(TorchdiffeqConfig(method="rk4", steps=100))
