"""The named torsions of peptides: phi, psi, omega and chi1 to chi5, found by atom names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tbg_core.molecule.residues import standard_residue

if TYPE_CHECKING:
    from tbg_core.molecule.molecule import Molecule

Quadruple = tuple[int, int, int, int]

# Side-chain paths from N; chi_k is the torsion of atoms k-1 .. k+2 (IUPAC-IUB 1970).
_SIDE_CHAINS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "ARG": (("N", "CA", "CB", "CG", "CD", "NE", "CZ", "NH1"),),
    "ASN": (("N", "CA", "CB", "CG", "OD1"),),
    "ASP": (("N", "CA", "CB", "CG", "OD1"),),
    "CYS": (("N", "CA", "CB", "SG"),),
    "GLN": (("N", "CA", "CB", "CG", "CD", "OE1"),),
    "GLU": (("N", "CA", "CB", "CG", "CD", "OE1"),),
    "HIS": (("N", "CA", "CB", "CG", "ND1"),),
    # The last carbon of Ile is CD1 in PDB files and CD in some force fields.
    "ILE": (("N", "CA", "CB", "CG1", "CD1"), ("N", "CA", "CB", "CG1", "CD")),
    "LEU": (("N", "CA", "CB", "CG", "CD1"),),
    "LYS": (("N", "CA", "CB", "CG", "CD", "CE", "NZ"),),
    "MET": (("N", "CA", "CB", "CG", "SD", "CE"),),
    "PHE": (("N", "CA", "CB", "CG", "CD1"),),
    "PRO": (("N", "CA", "CB", "CG", "CD"),),
    "SER": (("N", "CA", "CB", "OG"),),
    "THR": (("N", "CA", "CB", "OG1"),),
    "TRP": (("N", "CA", "CB", "CG", "CD1"),),
    "TYR": (("N", "CA", "CB", "CG", "CD1"),),
    "VAL": (("N", "CA", "CB", "CG1"),),
}

# What takes the place of CA in the caps; Amber calls the methyl of NME C or CH3.
_ALPHA: Final[dict[str, tuple[str, ...]]] = {"ACE": ("CH3",), "NME": ("CH3", "C")}

TORSION_KINDS: Final = ("phi", "psi", "omega", "chi1", "chi2", "chi3", "chi4", "chi5")


def torsions(molecule: Molecule, kind: str) -> dict[int, Quadruple]:
    """All torsions of one kind.

    phi of residue i is C(i-1) N CA C, psi is N CA C N(i+1), omega is CA C N(i+1) CA(i+1), with the methyl
    carbon for CA in ACE and NME.

    Args:
        molecule: The molecule.
        kind: One of :data:`TORSION_KINDS`.

    Returns:
        Residue, from 0 -> the four atoms, ascending by residue. Empty for molecules that are no peptides.
    """
    found = {}
    for residue in range(len(molecule.residue_names)):
        atoms = _atoms(molecule, kind, residue)
        if all(i is not None for i in atoms):
            i, j, k, m = (int(a) for a in atoms if a is not None)
            if all(b in molecule.neighbours[a] for a, b in ((i, j), (j, k), (k, m))):
                found[residue] = (i, j, k, m)
    return found


def _atoms(molecule: Molecule, kind: str, r: int) -> tuple[int | None, ...]:
    """The four atoms of a torsion; None for those that are missing."""
    if kind == "phi":
        return (
            molecule.atom(r - 1, "C"),
            *(molecule.atom(r, name) for name in ("N", "CA", "C")),
        )
    if kind == "psi":
        return (*(molecule.atom(r, name) for name in ("N", "CA", "C")), molecule.atom(r + 1, "N"))
    if kind == "omega":
        return (
            alpha_carbon(molecule, r),
            molecule.atom(r, "C"),
            molecule.atom(r + 1, "N"),
            alpha_carbon(molecule, r + 1),
        )
    number = int(kind.removeprefix("chi"))
    for path in _SIDE_CHAINS.get(standard_residue(molecule.residue_names[r]), ()):
        names = path[number - 1 : number + 3]
        atoms = tuple(molecule.atom(r, name) for name in names)
        if len(names) == 4 and None not in atoms:
            return atoms
    return (None,) * 4


def alpha_carbon(molecule: Molecule, r: int) -> int | None:
    """The alpha carbon of residue r, from 0, or the methyl carbon of a cap; None if it has none."""
    if not 0 <= r < len(molecule.residue_names):
        return None
    candidates = (molecule.atom(r, name) for name in _ALPHA.get(molecule.residue_names[r], ("CA",)))
    return next((i for i in candidates if i is not None), None)
