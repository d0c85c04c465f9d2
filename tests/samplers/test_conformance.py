"""The samplers that move particles pass the conformance kit, with options that defaults leave out."""

from __future__ import annotations

from tbg_core.samplers.config import IndependenceMetropolisConfig, SMCConfig
from tbg_core.samplers.independence import IndependenceMetropolis
from tbg_core.samplers.smc import SequentialMonteCarlo
from tbg_core.testing import SamplerConformance


class TestSMC(SamplerConformance):
    samples, block = 1024, 128

    def make(self):
        return SequentialMonteCarlo(SMCConfig(steps=4, leapfrog_steps=3, pilot_size=32))


class TestSMCThatFollowsThePath(SamplerConformance):
    samples, block = 1024, 128

    def make(self):
        options = {"drive": "path", "leapfrog_steps": 1, "acceptance": 0.6, "resample_below": 1.0}
        return SequentialMonteCarlo(SMCConfig(steps=4, pilot_size=32, **options))


class TestAnnealedImportanceSampling(SamplerConformance):
    samples, block = 1024, 128

    def make(self):
        return SequentialMonteCarlo(SMCConfig(steps=4, leapfrog_steps=3, pilot_size=32, resample_below=0.0))


class TestIndependenceMetropolis(SamplerConformance):
    samples, block = 1024, 128

    def make(self):
        return IndependenceMetropolis(IndependenceMetropolisConfig(sweeps=4, leapfrog_steps=3, pilot_size=32))
