"""The paper's three node encodings, computed from the topology alone.

Klein & Noe (2024), section 4.1 and code, describe them for alanine dipeptide (a capped molecule with its own
network) and for dipeptides (one network for all). The same distinction is made here: a molecule with an ACE
or NME cap gets the single-molecule form, an uncapped peptide the transferable one. Atom indices are never
used as identities, so the encodings do not depend on the order of the atoms in a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.residues import AMINO_ACIDS, ATOM_TYPES, merged_atom_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from tbg_core.molecule import Molecule

ELEMENTS = ("H", "C", "N", "O", "S")
CAPS = frozenset({"ACE", "NME", "NMA", "NH2"})
MAX_RESIDUES = 2


def is_capped(molecule: Molecule) -> bool:
    """True if the molecule has a capping residue, so that single-molecule encodings apply."""
    return any(name in CAPS for name in molecule.residue_names)


def element(molecule: Molecule) -> np.ndarray:
    """One-hot element over H, C, N, O, S [N, 5]."""
    return _one_hot([_element_index(molecule, i) for i in range(molecule.n_atoms)], len(ELEMENTS))


def backbone(molecule: Molecule) -> np.ndarray:
    """Elements, with a class of its own for each backbone atom.

    Uncapped: N, CA, C, O of each of two residues [N, 5 + 8]. Capped: the atoms along the chain (cap C, N, CA,
    C, ..., cap N; carbonyl oxygens stay "O"), after the elements H, C, N, O, which for alanine dipeptide makes
    the paper's nine columns [N, 4 + chain length]. Sulphur gets a fifth element column where it occurs.
    """
    capped = is_capped(molecule)
    names = ("N", "CA", "C") if capped else ("N", "CA", "C", "O")
    n_elements = 5 if not capped or "S" in molecule.elements else 4
    classes, special = [], 0
    for i in range(molecule.n_atoms):
        if _is_backbone(molecule, i, names):
            classes.append(n_elements + special)
            special += 1
        else:
            classes.append(_element_index(molecule, i))
    if not capped:
        _check_length(molecule)
        return _one_hot(classes, n_elements + len(names) * MAX_RESIDUES)
    return _one_hot(classes, n_elements + special)


def full(molecule: Molecule) -> np.ndarray:
    """Everything the topology says of an atom, except which of several equivalent hydrogens it is.

    Uncapped: residue position, amino acid and merged atom name, each one-hot [N, 2 + 20 + 54]. Capped: a class
    for each atom, the hydrogens of a methyl group sharing one [N, N] (some columns stay empty, as in the paper).
    """
    if is_capped(molecule):
        return _one_hot(_leaf_classes(molecule), molecule.n_atoms)
    _check_length(molecule)
    blocks = []
    for i in range(molecule.n_atoms):
        residue = molecule.residue_index[i]
        name = molecule.residue_names[residue]
        atom_type = merged_atom_type(name, molecule.atom_names[i])
        if _parent_residue(name) not in AMINO_ACIDS or atom_type not in ATOM_TYPES:
            raise UnsupportedSystemError(
                f"the full encoding knows no atom {molecule.atom_names[i]} of residue {name}{residue + 1}.",
                fix="Use -s model.encoding=element.",
            )
        blocks.append((residue, AMINO_ACIDS.index(_parent_residue(name)), ATOM_TYPES.index(atom_type)))
    position, amino_acid, atom = zip(*blocks, strict=True)
    return np.concatenate(
        [
            _one_hot(position, MAX_RESIDUES),
            _one_hot(amino_acid, len(AMINO_ACIDS)),
            _one_hot(atom, len(ATOM_TYPES)),
        ],
        axis=1,
    )


ENCODINGS: dict[str, Callable[[Molecule], np.ndarray]] = {
    "element": element,
    "backbone": backbone,
    "full": full,
}


def classes(features: np.ndarray) -> np.ndarray:
    """Class of each atom [N]: atoms with equal rows of ``features`` [N, F] cannot be told apart."""
    return np.unique(features, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _one_hot(index: list[int] | tuple[int, ...], size: int) -> np.ndarray:
    rows: np.ndarray = np.eye(size, dtype=np.float32)[np.asarray(index)]
    return rows


def _element_index(molecule: Molecule, i: int) -> int:
    symbol = molecule.elements[i]
    if symbol not in ELEMENTS:
        raise UnsupportedSystemError(
            f"atom {molecule.atom_names[i]} is {symbol}; the encodings know {', '.join(ELEMENTS)}."
        )
    return ELEMENTS.index(symbol)


def _is_backbone(molecule: Molecule, i: int, names: tuple[str, ...]) -> bool:
    name = molecule.atom_names[i]
    residue = molecule.residue_names[molecule.residue_index[i]]
    if residue == "ACE":
        return name == "C"
    if residue in CAPS:
        return name == "N"
    return name in names


def _leaf_classes(molecule: Molecule) -> list[int]:
    """Own class for each atom, but one for the hydrogens of a methyl (CH3) or ammonium (NH3) group."""
    table = list(range(molecule.n_atoms))
    for neighbours in molecule.neighbours:
        hydrogens = [j for j in neighbours if molecule.elements[j] == "H"]
        if len(hydrogens) == 3:
            for j in hydrogens:
                table[j] = hydrogens[0]
    return table


def _parent_residue(name: str) -> str:
    return {"HIE": "HIS", "HID": "HIS", "HIP": "HIS", "ASH": "ASP", "GLH": "GLU", "LYN": "LYS", "CYX": "CYS"}.get(
        name, name
    )


def _check_length(molecule: Molecule) -> None:
    if len(molecule.residue_names) > MAX_RESIDUES:
        raise UnsupportedSystemError(
            f"{molecule.name} has {len(molecule.residue_names)} residues; this encoding is made for dipeptides.",
            fix="Use --model autoregressive, or -s model.encoding=element, or cap the peptide.",
        )
