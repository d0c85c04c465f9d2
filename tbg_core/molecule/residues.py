"""Names of residues and atoms: amino acids, one-letter codes, atom types of the transferable models."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from tbg_core.errors import UnsupportedSystemError

AMINO_ACIDS: Final[tuple[str, ...]] = (
    *("ALA", "ARG", "ASN", "ASP", "CYS", "GLN", "GLU", "GLY", "HIS", "ILE"),
    *("LEU", "LYS", "MET", "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL"),
)
"""The twenty amino acids in alphabetical order of their three-letter codes; the position is the index."""

ONE_LETTER: Final = MappingProxyType(dict(zip(AMINO_ACIDS, "ARNDCQEGHILKMFPSTWYV", strict=True)))
"""One-letter code of each three-letter code."""

THREE_LETTER: Final = MappingProxyType({one: three for three, one in ONE_LETTER.items()})
"""Three-letter code of each one-letter code."""

CAPS: Final[tuple[str, ...]] = ("ACE", "NME", "NH2")
"""Terminal groups that are residues of their own."""

VARIANTS: Final = MappingProxyType(
    {
        variant: residue
        for residue, variants in (
            ("HIS", "HID HIE HIP HSD HSE HSP"),
            ("CYS", "CYX CYM"),
            ("ASP", "ASH"),
            ("GLU", "GLH"),
            ("LYS", "LYN"),
        )
        for variant in variants.split()
    }
)
"""Protonation and bonding variants, and the amino acid that each is of."""

ATOM_TYPES: Final[tuple[str, ...]] = (
    *("C", "CA", "CB", "CD", "CD1", "CD2", "CE", "CE1", "CE2", "CE3", "CG", "CG1", "CG2", "CH2", "CZ"),
    *("CZ2", "CZ3", "H", "HA", "HB", "HD", "HD1", "HD2", "HE", "HE1", "HE2", "HE3", "HG", "HG1", "HG2"),
    *("HH", "HH1", "HH2", "HZ", "HZ2", "HZ3", "N", "ND1", "ND2", "NE", "NE1", "NE2", "NH1", "NH2", "NZ"),
    *("O", "OD", "OE", "OG", "OG1", "OH", "OXT", "SD", "SG"),
)
"""The 54 topological atom types of uncapped peptides (Klein & Noe 2024, "full" encoding)."""

_AROMATIC = frozenset({"HIS", "PHE", "TRP", "TYR"})
_RING_HYDROGENS = ("HE", "HD", "HZ", "HH")


def standard_residue(residue_name: str) -> str:
    """The amino acid that a residue name means, e.g. HIS for HIE; caps and others are returned unchanged."""
    return VARIANTS.get(residue_name, residue_name)


def merged_name(residue_name: str, atom_name: str) -> str:
    """Merges the PDB names of atoms that a molecule's symmetry makes equivalent.

    The last index (1, 2 or 3) of a hydrogen is dropped, but not that of the ring hydrogens of HIS, PHE, TRP
    and TYR; and the index of the oxygens OD*, OE* is dropped.

    Args:
        residue_name: Three-letter residue name, variants (HIE, CYX, ...) included.
        atom_name: PDB name of the atom, e.g. ``"HB2"``.

    Returns:
        The merged name, e.g. ``"HB"``; for caps too (``"HH3"`` for ACE HH31).
    """
    if atom_name.startswith("H"):
        ring = standard_residue(residue_name) in _AROMATIC and atom_name.startswith(_RING_HYDROGENS)
        return atom_name if ring or atom_name[-1] not in "123" else atom_name[:-1]
    if atom_name.startswith(("OD", "OE")):
        return atom_name[:2]
    return atom_name


def merged_atom_type(residue_name: str, atom_name: str) -> str:
    """Merged name of an atom, one of :data:`ATOM_TYPES`.

    Raises:
        UnsupportedSystemError: If the atom has no type there (caps, nonstandard residues).
    """
    merged = merged_name(residue_name, atom_name)
    if standard_residue(residue_name) not in AMINO_ACIDS or merged not in ATOM_TYPES:
        raise UnsupportedSystemError(
            f"Atom {atom_name} of residue {residue_name} has none of the {len(ATOM_TYPES)} atom types.",
            fix="Use an uncapped peptide of the twenty amino acids, or a model that does not use atom types.",
        )
    return merged
