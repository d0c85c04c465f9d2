"""Plain numbers from OpenMM's quantities: nm, ps, amu, kJ/mol, its own unit system.

Reading the value directly spares a conversion that costs as much as the energy of a small molecule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import openmm


def positions(state: openmm.State) -> np.ndarray:
    """Positions [N, 3], nm."""
    return np.array(state.getPositions(asNumpy=True)._value)  # noqa: SLF001


def velocities(state: openmm.State) -> np.ndarray:
    """Velocities [N, 3], nm/ps."""
    return np.array(state.getVelocities(asNumpy=True)._value)  # noqa: SLF001


def forces(state: openmm.State) -> np.ndarray:
    """Forces [N, 3], kJ/mol/nm."""
    return np.array(state.getForces(asNumpy=True)._value)  # noqa: SLF001


def potential_energy(state: openmm.State) -> float:
    """Potential energy, kJ/mol."""
    return float(state.getPotentialEnergy()._value)  # noqa: SLF001


def masses(system: openmm.System) -> np.ndarray:
    """Masses [N], amu."""
    particles = range(system.getNumParticles())
    return np.array([float(system.getParticleMass(i)._value) for i in particles])  # noqa: SLF001
