"""Every integrator of this plugin passes the conformance kit."""

from __future__ import annotations

from tbg_core.testing import IntegratorConformance
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config, EulerConfig, HeunConfig, RK4Config
from tbg_solvers.fixed import RK4, Euler, Heun


class TestEuler(IntegratorConformance):
    tolerance = 5e-3
    path_tolerance = 5e-3

    def make(self):
        return Euler(EulerConfig(steps=1000))


class TestHeun(IntegratorConformance):
    tolerance = 1e-4
    path_tolerance = 1e-4

    def make(self):
        return Heun(HeunConfig(steps=200))


class TestRK4(IntegratorConformance):
    tolerance = 1e-7
    path_tolerance = 1e-6

    def make(self):
        return RK4(RK4Config(steps=100))


class TestDopri5(IntegratorConformance):
    tolerance = 1e-8
    path_tolerance = 1e-7

    def make(self):
        return Dopri5(Dopri5Config(rtol=1e-10, atol=1e-10))
