"""Langevin dynamics in any energy: blocks, the distribution, and which energies get it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.contracts.energy import Target, ThermodynamicState
from tbg_core.dynamics.config import LangevinConfig
from tbg_core.dynamics.langevin import Langevin
from tbg_core.errors import ConfigError, EnergyError, NumericalError
from tbg_core.molecule import Molecule
from tbg_core.testing import DynamicsConformance

STIFFNESS = 2.8e5  # kJ/mol/nm^2, a C-H bond
LENGTH = 0.109


def carbon_hydrogen(name="C-H"):
    return Molecule(
        name=name,
        elements=("C", "H"),
        atom_names=("C", "H"),
        residue_index=(0, 0),
        residue_names=("CH",),
        bonds=((0, 1),),
        masses=(12.011, 1.008),
        formal_charges=(0, 0),
        handedness=(),
        reference=np.array([[0.0, 0.0, 0.0], [0.115, 0.0, 0.0]]),
    )


class Spring(Target):
    """U = k/2 (r - r0)^2, and nothing beyond a length where it is cut."""

    def __init__(self, system, cut=math.inf):
        super().__init__(system, ThermodynamicState(300.0))
        self.cut = cut

    def _evaluate(self, x, *, gradient):
        apart = x[:, 1].double() - x[:, 0].double()
        r = apart.norm(dim=1, keepdim=True)
        u = STIFFNESS / 2 * (r - LENGTH).square()[:, 0] / self.state.kT
        u = torch.where(r[:, 0] > self.cut, math.nan, u)
        slope = STIFFNESS * (r - LENGTH) / r * apart / self.state.kT
        return u, torch.stack([-slope, slope], dim=1) if gradient else None


class TestLangevin(DynamicsConformance):
    def make(self):
        return Langevin(LangevinConfig(frame_interval_ps=0.01, equilibration_ps=0.05))

    def target(self):
        return Spring(carbon_hydrogen())


def test_walkers_moved_together_give_the_same_numbers():
    """The option changes how many rows an energy is asked for at a time, and no number."""
    with Spring(carbon_hydrogen()) as target:
        simulation = Langevin(LangevinConfig(walkers_together=3, frame_interval_ps=0.01, equilibration_ps=0.05)).bind(
            target
        )
        together = simulation.advance(simulation.start(1, range(3)), 4, 1, range(3), 0)
        alone = simulation.advance(simulation.start(1, [2]), 4, 1, [2], 0)
    assert np.array_equal(together.positions[2], alone.positions[0])


@pytest.mark.statistical
def test_a_stiff_bond_has_its_exact_distribution_at_one_femtosecond():
    """Bond length: density r^2 exp(-k (r - r0)^2 / 2kT); mean and variance within 4.5 standard errors (1e-5).

    The width is the sharp part: the velocity Verlet scheme would add 8 % to the variance, seven standard errors.
    """
    walkers, frames = 200, 200
    config = LangevinConfig(timestep_fs=1.0, friction_per_ps=100.0, frame_interval_ps=0.01, equilibration_ps=0.1)
    with Spring(carbon_hydrogen()) as target:
        simulation = Langevin(config).bind(target)
        block = simulation.advance(simulation.start(7, range(walkers)), frames, 7, range(walkers), 0)
        width = target.state.kT / STIFFNESS
    r = np.linalg.norm(np.diff(block.positions.astype(np.float64), axis=2)[:, :, 0], axis=-1)
    grid = np.linspace(LENGTH - 8 * width**0.5, LENGTH + 8 * width**0.5, 4001)
    density = grid**2 * np.exp(-((grid - LENGTH) ** 2) / (2 * width))
    mean = (grid * density).sum() / density.sum()
    variance = ((grid - mean) ** 2 * density).sum() / density.sum()
    for values, expected in ((r, mean), ((r - mean) ** 2, variance)):
        means = values.mean(axis=1)
        error = means.std(ddof=1) / math.sqrt(walkers)
        assert abs(means.mean() - expected) < 4.5 * error
    assert ((r - mean) ** 2).mean(axis=1).std(ddof=1) / math.sqrt(walkers) < 0.012 * variance
    assert block.statistics["kinetic_temperature_K"].mean() == pytest.approx(300.0, rel=0.05)


def test_a_conformation_without_an_energy_ends_it_with_advice():
    with Spring(carbon_hydrogen(), cut=0.1095) as target:
        simulation = Langevin(LangevinConfig(equilibration_ps=1.0)).bind(target)
        with pytest.raises(
            NumericalError, match=r"C-H reached a conformation without an energy in equilibration.*timestep_fs"
        ):
            simulation.start(1, [0])


def test_what_cannot_be_moved_is_refused():
    class Toy:
        name = "double-well"

    class Bare(Spring):
        def __init__(self):
            Target.__init__(self, Toy(), ThermodynamicState(300.0))

    with pytest.raises(EnergyError, match="double-well is a Toy"):
        Langevin(LangevinConfig()).bind(Bare())


def settings(**changes):
    return resolve(make_config({"system": "ACE-NME", **changes}), needs=("system", "energy", "dynamics"))


def test_an_energy_gets_dynamics_that_can_integrate_it():
    pytest.importorskip("tbg_ase")
    pytest.importorskip("tbg_openmm")
    assert settings(energy="ase").dynamics["name"] == "langevin"
    assert settings(energy="openmm").dynamics["name"] != "langevin"
    assert settings(energy="openmm", dynamics="langevin").dynamics["friction_per_ps"] == 5.0
    with pytest.raises(ConfigError, match=r"dynamics 'openmm' integrates the energy openmm, not 'ase'.*langevin"):
        settings(energy="ase", dynamics="openmm")
