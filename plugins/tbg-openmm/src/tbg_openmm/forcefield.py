"""Force fields: which files may be loaded, and a System checked for what would bias an ensemble."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import openmm
from openmm import app, unit

from tbg_core.errors import EnergyError
from tbg_openmm.quantities import masses
from tbg_openmm.topology import to_topology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.molecule import Molecule
    from tbg_openmm.presets import NonbondedMethod

_BAROSTATS = ("Barostat", "AnisotropicBarostat", "MembraneBarostat", "FlexibleBarostat")


def bundled_file(name: str) -> Path:
    """Resolves the name of a force-field file inside OpenMM's own data folder.

    A force-field file may hold ``<Script>`` elements, which OpenMM executes; only OpenMM's own are safe.
    OpenMM itself looks in the working directory first, so the resolved path must be what is loaded.

    Raises:
        EnergyError: If there is no such file inside that folder.
    """
    folder = (Path(app.__file__).parent / "data").resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or path.suffix != ".xml" or not path.is_file():
        raise EnergyError(
            f"{name!r} is not one of OpenMM's bundled force-field files; such files can execute code.",
            fix="Name a bundled file such as amber14-all.xml, or pass --trust-forcefield if you trust it.",
        )
    return path


def load_forcefield(files: Sequence[str], *, trust: bool = False) -> app.ForceField:
    """Loads force-field files.

    Args:
        files: Names relative to OpenMM's data folder; any path with ``trust``.
        trust: Load files from anywhere. Their scripts are executed.

    Raises:
        EnergyError: Naming a file that is not bundled, or cannot be read.
    """
    from_outside = [trust and Path(name).is_file() for name in files]
    paths = [name if outside else str(bundled_file(name)) for name, outside in zip(files, from_outside, strict=True)]
    try:
        return app.ForceField(*paths) if any(from_outside) else _bundled(*paths)
    except Exception as error:  # a file from outside can fail in any way
        raise EnergyError(f"The force field {', '.join(files)} cannot be read: {error}.") from error


@lru_cache(maxsize=8)
def _bundled(*paths: str) -> app.ForceField:
    """OpenMM's own files, which do not change while a process runs; reading them takes half a second."""
    return app.ForceField(*paths)


def create_system(
    molecule: Molecule, forcefield: app.ForceField, method: NonbondedMethod, cutoff_nm: float
) -> openmm.System:
    """Parametrises a molecule: no constraints, no motion remover, no box.

    Raises:
        EnergyError: If the force field has no parameters for it, or asks for what is refused.
    """
    try:
        system = forcefield.createSystem(
            to_topology(molecule),
            nonbondedMethod=getattr(app, method),
            nonbondedCutoff=cutoff_nm * unit.nanometer,
            constraints=None,
            rigidWater=False,
            removeCMMotion=False,
        )
    except Exception as error:
        raise EnergyError(
            f"The force field has no parameters for {molecule.name}: {error}",
            fix="Choose another preset or force field for this molecule.",
        ) from error
    refuse_unsupported(system)
    if system.getNumParticles() != molecule.n_atoms:
        raise EnergyError(
            f"The force field adds particles to {molecule.name} that are no atoms.",
            fix="Use a force field without virtual sites or Drude particles.",
        )
    return system


def refuse_unsupported(system: openmm.System) -> None:
    """Refuses what makes exp(-u) something else than the density of the atoms' coordinates.

    Raises:
        EnergyError: Naming constraints, virtual sites, fixed atoms, a barostat or a periodic box.
    """
    particles = range(system.getNumParticles())
    found = {
        "constraints": system.getNumConstraints() > 0,
        "virtual sites": any(system.isVirtualSite(i) for i in particles),
        "atoms without mass": bool((masses(system) == 0).any()),
        "a barostat": any(
            type(force).__name__.removeprefix("MonteCarlo") in _BAROSTATS for force in system.getForces()
        ),
        "a periodic box": system.usesPeriodicBoundaryConditions(),
    }
    for what, present in found.items():
        if present:
            raise EnergyError(
                f"The system has {what}, which Boltzmann generators in Cartesian coordinates do not support.",
                fix="Use an implicit-solvent force field without constraints, such as the presets.",
            )
