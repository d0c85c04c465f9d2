"""Coordinates of a peptide: heavy atoms from ideal geometry, then hydrogens, then a minimisation."""

from __future__ import annotations

import io
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import openmm
from openmm import app

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.residues import ONE_LETTER
from tbg_openmm import quantities
from tbg_openmm.forcefield import create_system, load_forcefield
from tbg_openmm.presets import preset_for
from tbg_openmm.topology import from_topology, order_hydrogens

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tbg_core.molecule import Molecule
    from tbg_openmm.sequence import Residue

# The caps are built as glycines, of which they are fragments: atoms to drop, and the new name of CA. OpenMM
# calls the methyl carbon of NME "C".
_CAPS = {"ACE": (("N",), "CH3"), "NME": (("C", "O"), "C"), "NH2": (("CA", "C", "O"), "CA")}


def build_molecule(residues: Sequence[Residue], name: str, cis: Collection[int] = ()) -> Molecule:
    """Builds an extended L-peptide, amide bonds trans but for those before the residues ``cis``, counted from 1.

    The same residues always give the same identity: hydrogens are placed deterministically and labelled by
    :func:`~tbg_openmm.topology.order_hydrogens`.

    Raises:
        UnsupportedSystemError: If no sensible conformation is found.
    """
    structure = app.PDBFile(io.StringIO(_heavy_atoms(residues, cis)))
    modeller = app.Modeller(structure.topology, structure.positions)
    preset = preset_for([residue.amino_acid for residue in residues])
    forcefield = load_forcefield(preset.forcefield)
    reference = openmm.Platform.getPlatformByName("Reference")
    with _fixed_random():
        modeller.addHydrogens(forcefield, variants=[residue.variant for residue in residues], platform=reference)
    positions = np.array(modeller.positions.value_in_unit(openmm.unit.nanometer))
    molecule = from_topology(modeller.topology, positions, name)
    system = create_system(molecule, forcefield, preset.nonbonded_method, preset.cutoff_nm)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setPositions(order_hydrogens(molecule.elements, molecule.bonds, positions))
    openmm.LocalEnergyMinimizer.minimize(context, 1.0, 2000)
    minimised = quantities.positions(context.getState(getPositions=True))
    if not np.isfinite(minimised).all():
        raise UnsupportedSystemError(
            f"No conformation of {name} could be built: its atoms overlap.", fix="Give a PDB file instead."
        )
    minimised = order_hydrogens(molecule.elements, molecule.bonds, minimised - minimised.mean(axis=0))
    return from_topology(modeller.topology, minimised, name)


def _heavy_atoms(residues: Sequence[Residue], cis: Collection[int]) -> str:
    """PDB text of the heavy atoms, with the C-terminal OXT where there is no cap."""
    import PeptideBuilder

    letters = [ONE_LETTER.get(residue.amino_acid, "G") for residue in residues]
    structure = PeptideBuilder.initialize_res(letters[0])
    for number, letter in enumerate(letters[1:], start=2):
        geometry = PeptideBuilder.Geometry.geometry(letter)
        if number in cis:
            geometry.omega = 0.0
        PeptideBuilder.add_residue(structure, geometry)
    if residues[-1].amino_acid not in _CAPS:
        PeptideBuilder.add_terminal_OXT(structure)
    lines: list[str] = []
    for residue, model in zip(residues, structure.get_residues(), strict=True):
        dropped, methyl = _CAPS.get(residue.amino_acid, ((), "CA"))
        for atom in model:
            if atom.get_name() not in dropped:
                atom_name = methyl if atom.get_name() == "CA" else atom.get_name()
                x, y, z = atom.get_coord()
                lines.append(
                    f"ATOM  {len(lines) + 1:5d}  {atom_name:<3} {residue.amino_acid:>3} A{model.id[1]:4d}    "
                    f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {atom.element:>2}"
                )
    return "\n".join([*lines, "END", ""])


@contextmanager
def _fixed_random() -> Iterator[None]:
    """OpenMM places hydrogens with Python's global generator; this fixes it and puts its state back."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)
