"""What a simulation starts from: the minimised reference, and the masses that it moves with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import openmm

from tbg_core.errors import ConfigError, EnergyError
from tbg_openmm import quantities

if TYPE_CHECKING:
    from tbg_core.molecule import Molecule
    from tbg_openmm.target import OpenMMTarget

_LEAST_HEAVY_MASS: Final = 1.0


def minimised(target: OpenMMTarget) -> np.ndarray:
    """A local minimum of the target's energy near the reference [N, 3], nm, centred.

    Raises:
        EnergyError: If the molecule has no reference conformation.
    """
    reference = target.molecule.reference
    if reference is None:
        raise EnergyError(
            f"{target.molecule.name} has no conformation to start from.",
            fix="Give the molecule as a PDB file.",
        )
    context = target.platform.context(target.openmm_system, openmm.VerletIntegrator(0.001))
    context.setPositions(reference)
    openmm.LocalEnergyMinimizer.minimize(context)
    positions = quantities.positions(context.getState(getPositions=True))
    return np.asarray(positions - positions.mean(axis=0))


def repartitioned(molecule: Molecule, masses: np.ndarray, hydrogen_amu: float | None) -> np.ndarray:
    """Masses [N] in which each hydrogen took what it lacks to ``hydrogen_amu`` from its neighbour.

    The distribution of positions does not depend on masses; the largest stable time step does.

    Raises:
        ConfigError: If nothing would be left for a heavy atom.
    """
    moved = np.array(masses)
    if hydrogen_amu is None:
        return moved
    for i, element in enumerate(molecule.elements):
        if element == "H":
            (heavy,) = molecule.neighbours[i]
            moved[heavy] -= hydrogen_amu - masses[i]
            moved[i] = hydrogen_amu
    if moved.min() < _LEAST_HEAVY_MASS:
        raise ConfigError(
            f"hydrogen_mass_amu {hydrogen_amu:g} leaves {moved.min():.1f} amu for an atom of {molecule.name}.",
            fix="Choose a smaller one; 3 suits all amino acids.",
        )
    return moved
