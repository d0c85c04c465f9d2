"""What the network is told of an atom: chemistry from the graph, and its names where they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_autoregressive.environments import environments
from tbg_autoregressive.rings import planar_ring_systems
from tbg_core.molecule.graph import rings
from tbg_core.molecule.residues import AMINO_ACIDS, ATOM_TYPES, CAPS, VARIANTS, merged_name, standard_residue

if TYPE_CHECKING:
    from tbg_core.molecule import Molecule

_ELEMENTS = ("H", "C", "N", "O", "S")
_NAMES = (*ATOM_TYPES, "CH3", "HH3")
_RESIDUES = (*AMINO_ACIDS, *CAPS, *sorted(VARIANTS))
_DEGREES = (1, 2, 3, 4)
SIZE = len(_ELEMENTS) + len(_NAMES) + len(_RESIDUES) + len(_DEGREES) + 7
"""Length of the vector of an atom."""


def atom_features(molecule: Molecule) -> np.ndarray:
    """Features of each atom [N, SIZE], float32: one-hot element, name, residue and degree, then ring, ends, charge.

    Names that are not known leave their columns empty, so that the graph alone must do. Formal charges are
    averaged over atoms with equal surroundings: the oxygens of a carboxylate carry half a charge each.
    """
    planar = set().union(*planar_ring_systems(molecule.neighbours))
    cycles = rings(molecule.neighbours)
    sizes = [{len(ring) for ring in cycles if i in ring} for i in range(molecule.n_atoms)]
    around = environments(molecule, 3)[3]
    charge = {
        h: float(np.mean([q for q, g in zip(molecule.formal_charges, around, strict=True) if g == h])) for h in around
    }
    last = len(molecule.residue_names) - 1
    rows = []
    for i, element in enumerate(molecule.elements):
        index = molecule.residue_index[i]
        residue = molecule.residue_names[index]
        merged = merged_name(residue, molecule.atom_names[i])
        rows.append(
            [
                *(element == e for e in _ELEMENTS),
                *(merged == name for name in _NAMES),
                *(name in {residue, standard_residue(residue)} for name in _RESIDUES),
                *(len(molecule.neighbours[i]) == degree for degree in _DEGREES),
                i in planar,
                bool(sizes[i]) and i not in planar,
                5 in sizes[i],
                6 in sizes[i],
                index == 0,
                index == last,
                charge[around[i]],
            ]
        )
    return np.array(rows, dtype=np.float32)
