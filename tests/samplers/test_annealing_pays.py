"""Where a proposal is wrong in many dimensions at once, annealing pays at equal numbers of energies."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.randomness import SampleKeys
from tbg_core.samplers.config import ImportanceSamplerConfig, SMCConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_core.samplers.smc import SequentialMonteCarlo
from tbg_core.testing.parts import Bowl, GaussianProposal, plane

RUNS, PARTICLES, DIM = 20, 64, 12


def log_z_error(sampler, target, size, exact):
    """Root mean square error of log Z over independent runs, and energies evaluated in each."""
    proposal = GaussianProposal(Gaussian(GaussianConfig()))
    if settings := sampler.prepare(proposal, target, 1, "test"):
        sampler.restore(settings)
    before = target.evaluations
    found = [
        sampler.sample_block(proposal, target, SampleKeys.range(1, "test", k * size, (k + 1) * size)).log_z.value
        for k in range(RUNS)
    ]
    return float(np.sqrt(np.mean((np.array(found) - exact) ** 2))), (target.evaluations - before) / RUNS


@pytest.mark.statistical
def test_free_energies_spread_less_at_equal_energies():
    """A Gaussian of width 1 for one of width 1/3 in 12 dimensions, of which one draw in 12,000 is worth something.

    Errors of 20 runs are known to 16 %, the ratio that is required to 23 %.
    """
    target = Bowl(plane(DIM), ThermodynamicState(), stiffness=9.0)
    exact = target.reference_values["log_z"]
    annealed = SequentialMonteCarlo(SMCConfig(steps=32, leapfrog_steps=1, acceptance=0.6, pilot_size=64))
    error, energies = log_z_error(annealed, target, PARTICLES, exact)
    plain, spent = log_z_error(ImportanceSampler(ImportanceSamplerConfig()), target, round(energies), exact)
    assert abs(spent / energies - 1.0) < 0.01
    assert error < 0.5 * plain, f"log Z of {spent:.0f} energies is off by {error:.3f}, by weights alone {plain:.3f}"
