"""Every kind of method passes the conformance kit."""

from __future__ import annotations

from tbg_core.testing import IntegratorConformance
from tbg_torchdiffeq.config import TorchdiffeqConfig
from tbg_torchdiffeq.conformance import TestDopri5, TestRK4
from tbg_torchdiffeq.integrator import Torchdiffeq

__all__ = ["TestDopri5", "TestRK4"]


class TestDopri8(TestDopri5):
    def make(self):
        return Torchdiffeq(TorchdiffeqConfig(method="dopri8", rtol=1e-10, atol=1e-10))


class TestBosh3(IntegratorConformance):
    tolerance = 1e-6
    path_tolerance = 1e-5

    def make(self):
        return Torchdiffeq(TorchdiffeqConfig(method="bosh3", rtol=1e-8, atol=1e-8))


class TestAdaptiveHeun(IntegratorConformance):
    tolerance = 1e-4
    path_tolerance = 1e-4

    def make(self):
        return Torchdiffeq(TorchdiffeqConfig(method="adaptive_heun", rtol=1e-6, atol=1e-6, max_steps=5000))


class TestEuler(IntegratorConformance):
    tolerance = 5e-3
    path_tolerance = 5e-3

    def make(self):
        return Torchdiffeq(TorchdiffeqConfig(method="euler", steps=1000))


class TestMidpoint(IntegratorConformance):
    tolerance = 1e-4
    path_tolerance = 1e-4

    def make(self):
        return Torchdiffeq(TorchdiffeqConfig(method="midpoint", steps=200))
