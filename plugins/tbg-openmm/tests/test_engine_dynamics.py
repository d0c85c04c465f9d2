"""Dynamics on the batched engine: conformance, and the ensemble that OpenMM's own dynamics samples."""

from __future__ import annotations

import logging

import numpy as np
import openmm
import pytest

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import ConfigError, NumericalError
from tbg_core.testing import DynamicsConformance
from tbg_openmm import quantities
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import EngineDynamicsConfig, OpenMMConfig
from tbg_openmm.engine_dynamics import EngineDynamics
from tbg_openmm.minimising import repartitioned

SHORT = {
    "frame_interval_ps": 0.02,
    "exchange_interval_ps": 0.01,
    "heating_ps": 0.05,
    "scramble_ps": 0.02,
    "equilibration_ps": 0.02,
}
LADDER = (300.0, 330.0, 370.0)


def bind(molecule, temperature_K=300.0, **options):
    return OpenMMBackend(OpenMMConfig(**options)).bind(molecule, ThermodynamicState(temperature_K))


class TestEngine(DynamicsConformance):
    u_atol = 1e-9

    @pytest.fixture(autouse=True)
    def molecule(self, nma):
        self.nma = nma

    def make(self):
        return EngineDynamics(EngineDynamicsConfig(**SHORT, temperatures_K=LADDER))

    def target(self):
        return bind(self.nma)


class TestOneTemperature(TestEngine):
    def make(self):
        return EngineDynamics(EngineDynamicsConfig(**SHORT, temperatures_K=(), hydrogen_mass_amu=3.0))


def test_starts_are_scrambled_and_then_as_cold_as_they_should_be(nma):
    options = {**SHORT, "scramble_ps": 0.2, "equilibration_ps": 0.0, "temperatures_K": ()}
    with bind(nma) as target, EngineDynamics(EngineDynamicsConfig(**options)).bind(target) as simulation:
        state = simulation.start(1, range(16))
    masses = quantities.masses(target.openmm_system)
    kinetic = (masses[:, None] * state["velocities"] ** 2).sum(axis=(1, 2, 3)) / (36 * 0.00831446)
    # 16 walkers of 36 degrees of freedom: the mean of chi-square variables has a relative error of 6 %.
    assert kinetic.mean() == pytest.approx(300.0, rel=0.25)
    spread = np.linalg.norm(state["positions"][:, 0] - state["positions"][:, 0].mean(axis=0), axis=-1)
    assert spread.mean() > 0.005


def test_masses_are_moved_and_not_made(nma, gf):
    for molecule in (nma, gf):
        masses = quantities.masses(bind(molecule).openmm_system)
        moved = repartitioned(molecule, masses, 3.0)
        assert moved.sum() == pytest.approx(masses.sum())
        assert all(moved[i] == 3.0 for i, element in enumerate(molecule.elements) if element == "H")
        assert moved.min() > 2.9
        assert np.array_equal(repartitioned(molecule, masses, None), masses)
    with pytest.raises(ConfigError, match=r"hydrogen_mass_amu 5\.2 leaves -0\.6 amu for an atom of ACE-NME"):
        repartitioned(nma, quantities.masses(bind(nma).openmm_system), 5.2)


def test_what_the_engine_cannot_read_is_simulated_by_openmm(nma, caplog):
    target = bind(nma)
    target.openmm_system.addForce(openmm.CustomExternalForce("0*x"))
    config = EngineDynamicsConfig(**{**SHORT, "scramble_ps": 0.0}, temperatures_K=())
    with caplog.at_level(logging.WARNING), EngineDynamics(config).bind(target) as simulation:
        block = simulation.advance(simulation.start(1, [0, 1]), 2, 1, [0, 1], 0)
    assert "ACE-NME is simulated by OpenMM, not by the batched engine" in caplog.text
    assert "CustomExternalForce" in caplog.text
    assert block.positions.shape == (2, 2, 12, 3)


def test_a_time_step_that_is_too_long_is_named(nma):
    config = EngineDynamicsConfig(temperatures_K=(300.0, 1e9), heating_ps=0.5, scramble_ps=0.0, timestep_fs=5.0)
    with bind(nma) as target, pytest.raises(NumericalError, match=r"blew up in .* K. Reduce dynamics.timestep_fs"):
        EngineDynamics(config).bind(target).start(0, [0])
