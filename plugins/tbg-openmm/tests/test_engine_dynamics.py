"""Dynamics on the batched engine: conformance, and the ensemble that OpenMM's own dynamics samples."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import openmm
import pytest
import scipy.stats

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.datasets.convergence import energy_ratio
from tbg_core.errors import ConfigError, NumericalError
from tbg_core.observables import parse_observable
from tbg_core.testing import DynamicsConformance
from tbg_openmm import quantities
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import EngineDynamicsConfig, OpenMMConfig, OpenMMDynamicsConfig
from tbg_openmm.dynamics import OpenMMDynamics, OpenMMMover
from tbg_openmm.engine import Engine, compile_system
from tbg_openmm.engine_dynamics import EngineDynamics, EngineMover
from tbg_openmm.minimising import repartitioned
from tbg_openmm.replicas import Replicas

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


@pytest.mark.parametrize("hydrogen_amu", [None, 3.0])
def test_without_friction_it_moves_as_openmm_does(nma, hydrogen_amu):
    """No noise: both are the leapfrog scheme, so that positions agree up to single precision."""
    with bind(nma, platform="Reference") as target:
        masses = repartitioned(nma, quantities.masses(target.openmm_system), hydrogen_amu)
        spread = np.sqrt(0.00831446 * 300.0 / masses)[:, None]
        velocities = spread * np.random.default_rng(2).standard_normal((1, 2, 12, 3))
        moved = []
        for mover in (
            EngineMover(Engine(replace(compile_system(target.openmm_system), masses=masses)), nma.key, 0.001),
            OpenMMMover(target, masses, 0.001),
        ):
            replicas = Replicas.start((300.0, 330.0), nma.reference, velocities.copy())
            mover.begin(1, [0], "start")
            mover.move(replicas, 50, np.array([300.0, 330.0]), 0.0)
            assert replicas.steps == 50
            moved.append(replicas)
    engine, reference = moved
    assert np.abs(reference.positions - nma.reference).max() > 0.005
    centred = [r.positions - r.positions.mean(axis=2, keepdims=True) for r in moved]
    assert np.abs(centred[0] - centred[1]).max() < 2e-5
    assert np.abs(engine.velocities - reference.velocities).max() < 2e-2
    assert np.abs(engine.energies - reference.energies).max() < 0.05


@pytest.mark.statistical
def test_temperatures_and_energies_are_those_of_the_ladder(nma):
    """Equipartition at every rung, and neighbours whose energies have the ratio of Boltzmann distributions.

    32 walkers of 36 degrees of freedom for 20 ps at a friction of 10/ps: some 6,000 independent kinetic energies, known
    to 0.3 %; 2 % is more than 5 standard errors. Slopes within 5 standard errors (false alarms: 1e-6 each).
    """
    ladder = (300.0, 360.0, 430.0)
    config = EngineDynamicsConfig(
        temperatures_K=ladder,
        friction_per_ps=10.0,
        scramble_ps=1.0,
        heating_ps=0.5,
        equilibration_ps=4.0,
        exchange_interval_ps=0.1,
    )
    with bind(nma) as target, EngineDynamics(config).bind(target) as simulation:
        walkers = range(32)
        block = simulation.advance(simulation.start(0, walkers), 20, 0, walkers, 0)
    statistics = block.statistics
    assert statistics["kinetic_temperature_K"].mean(axis=0) == pytest.approx(ladder, rel=0.02)
    assert (statistics["round_trips"].sum(axis=1) > 0).all()
    energies = statistics["rung_energies"]
    for low, high in ((0, 1), (1, 2)):
        slope, error = energy_ratio(energies[..., low].ravel(), energies[..., high].ravel(), ladder[low], ladder[high])
        assert error < 0.1
        assert abs(slope - 1.0) < 5 * error


@pytest.mark.slow
@pytest.mark.statistical
def test_it_samples_the_ensemble_that_openmm_samples(build):
    """Energy, its spread, bond lengths and torsions of AA by either integrator: Bonferroni over all, 1 %.

    The walkers are independent; the standard errors are those between them.
    """
    molecule = build("AA")
    options = {
        "timestep_fs": 2.0,
        "hydrogen_mass_amu": 3.0,
        "friction_per_ps": 3.0,
        "temperatures_K": (310.0, 400.0, 520.0),
        "scramble_ps": 3.0,
        "heating_ps": 0.5,
        "equilibration_ps": 4.0,
        "exchange_interval_ps": 0.1,
    }
    phi, psi = (parse_observable(name, molecule) for name in ("phi", "psi"))
    measured = []
    for kind, walkers in ((EngineDynamics(EngineDynamicsConfig(**options)), 48), (_openmm(options), 12)):
        with bind(molecule, 310.0) as target, kind.bind(target) as simulation:
            block = simulation.advance(simulation.start(5, range(walkers)), 40, 5, range(walkers), 0)
        u, x = block.reduced_energy, block.positions
        angles = [np.stack([f(o(rows)) for rows in x]) for o in (phi, psi) for f in (np.cos, np.sin)]
        bonds = [np.linalg.norm(x[:, :, i] - x[:, :, j], axis=-1) for i, j in molecule.bonds]
        values = [u, (u - u.mean()) ** 2, *angles, *bonds]
        means = np.array([v.mean(axis=1) for v in values])
        measured.append((means.mean(axis=1), means.std(axis=1, ddof=1) / np.sqrt(walkers)))
    (engine, engine_error), (reference, reference_error) = measured
    scores = (engine - reference) / np.hypot(engine_error, reference_error)
    # Student's t with 11 degrees of freedom or more, for the twelve walkers of OpenMM.
    assert np.abs(scores).max() < scipy.stats.t(11).isf(0.01 / (2 * len(scores)))
    assert reference_error[0] < 1.0  # kT: the comparison says something


def _openmm(options):
    return OpenMMDynamics(OpenMMDynamicsConfig(**options))
