"""Conversion between :class:`~tbg_core.molecule.Molecule` and OpenMM's Topology."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from openmm import app, unit

from tbg_core.molecule import Handedness, Molecule
from tbg_openmm.chemistry import formal_charges, protonation_name

if TYPE_CHECKING:
    from collections.abc import Sequence


def to_topology(molecule: Molecule) -> app.Topology:
    """The OpenMM topology of a molecule: one chain, atoms in the molecule's order."""
    topology = app.Topology()
    chain = topology.addChain()
    residues = [topology.addResidue(name, chain) for name in molecule.residue_names]
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(element), residues[residue])
        for name, element, residue in zip(molecule.atom_names, molecule.elements, molecule.residue_index, strict=True)
    ]
    for i, j in molecule.bonds:
        topology.addBond(atoms[i], atoms[j])
    return topology


def from_topology(topology: app.Topology, positions: np.ndarray, name: str) -> Molecule:
    """The molecule of a topology, labelled by its conformation.

    Args:
        topology: Complete: all atoms and bonds. Its residues have OpenMM's names.
        positions: The reference conformation [N, 3], nm.
        name: For people.
    """
    atoms = list(topology.atoms())
    elements = tuple(atom.element.symbol for atom in atoms)
    bonds = tuple(sorted((min(a.index, b.index), max(a.index, b.index)) for a, b in topology.bonds()))
    # Only a disulfide bridge joins residues by their sulfurs.
    bridges = [bond for bond in topology.bonds() if bond[0].name == bond[1].name == "SG"]
    bridged = {atom.residue.index for bond in bridges for atom in bond}
    residue_names = tuple(
        protonation_name(residue.name, {a.name for a in residue.atoms()}, bridged=residue.index in bridged)
        for residue in topology.residues()
    )
    residue_index = tuple(atom.residue.index for atom in atoms)
    atom_names = tuple(atom.name for atom in atoms)
    reference = np.asarray(positions, dtype=np.float64)
    return Molecule(
        name=name,
        elements=elements,
        atom_names=atom_names,
        residue_index=residue_index,
        residue_names=residue_names,
        bonds=bonds,
        masses=tuple(float(atom.element.mass.value_in_unit(unit.dalton)) for atom in atoms),
        formal_charges=formal_charges(residue_names, residue_index, atom_names),
        handedness=handedness_labels(elements, bonds, reference),
        reference=reference,
    )


def handedness_labels(
    elements: Sequence[str], bonds: Sequence[tuple[int, int]], positions: np.ndarray
) -> tuple[Handedness, ...]:
    """A label for each atom with four neighbours: heavy neighbours first, then hydrogens, each ascending."""
    neighbours: list[list[int]] = [[] for _ in elements]
    for i, j in bonds:
        neighbours[i].append(j)
        neighbours[j].append(i)
    labels = []
    for centre, bonded in enumerate(neighbours):
        if len(bonded) == 4:
            a, b, c, d = sorted(bonded, key=lambda atom: (elements[atom] == "H", atom))
            arms = positions[[a, b, c]] - positions[centre]
            sign = 1 if np.linalg.det(arms) > 0 else -1
            labels.append(Handedness(centre=centre, neighbours=(a, b, c, d), sign=sign))
    return tuple(labels)


def order_hydrogens(elements: Sequence[str], bonds: Sequence[tuple[int, int]], positions: np.ndarray) -> np.ndarray:
    """Positions with the hydrogens of each CH2, CH3 and NH3 group swapped such that its label is +1.

    Which of two such hydrogens is called HB2 is arbitrary where hydrogens are placed by a program, but it is
    part of a molecule's identity; this makes it a convention.
    """
    ordered = np.array(positions, dtype=np.float64)
    for label in handedness_labels(elements, bonds, positions):
        hydrogens = [atom for atom in label.neighbours if elements[atom] == "H"]
        if label.sign < 0 and len(hydrogens) >= 2:
            swap = hydrogens[-2:]
            ordered[swap] = ordered[swap[::-1]]
    return ordered
