"""Molecules as PDB text (format version 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.errors import StorageError
from tbg_core.molecule.residues import AMINO_ACIDS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tbg_core.molecule.molecule import Molecule

_ANGSTROM_PER_NM = 10.0


def pdb_text(molecule: Molecule, positions: NDArray[np.floating]) -> str:
    """Writes conformations as PDB text.

    Residues other than the twenty amino acids (caps, variants such as HIE) are written as HETATM with CONECT
    records for their bonds, so that readers need no template for them; so are bonds between side chains.

    Args:
        molecule: The molecule; atoms keep its order.
        positions: One conformation [N, 3], or several [F, N, 3], nm; several become MODEL records.

    Returns:
        The text, ending with END.

    Raises:
        StorageError: If a coordinate is not finite or too large for its column, or a name is too long.
    """
    x = np.asarray(positions, dtype=np.float64)
    single = x.ndim == 2
    x = x[None] if single else x
    if x.ndim != 3 or x.shape[1:] != (molecule.n_atoms, 3):
        raise ValueError(f"Positions must be [{molecule.n_atoms}, 3] or [F, {molecule.n_atoms}, 3], not {x.shape}.")
    # Coordinates have the form %8.3f: from -999.999 to 9999.999.
    if not bool(np.all((x * _ANGSTROM_PER_NM > -999.999) & (x * _ANGSTROM_PER_NM < 9999.999))):
        raise StorageError(
            f"A coordinate of {molecule.name} is not finite or does not fit in a PDB file.",
            fix="Write valid samples only.",
        )
    heads, tails = _atom_columns(molecule)
    lines = [f"TITLE     {molecule.name}"[:80]]
    for number, frame in enumerate(x * _ANGSTROM_PER_NM, start=1):
        if not single:
            lines.append(f"MODEL     {number:4d}")
        for head, (a, b, c), tail in zip(heads, frame, tails, strict=True):
            lines.append(f"{head}{a:8.3f}{b:8.3f}{c:8.3f}{tail}")
        last = heads[-1]
        lines.append(f"TER   {molecule.n_atoms + 1:5d}      {last[17:27]}")
        if not single:
            lines.append("ENDMDL")
    lines.extend(_connect_records(molecule))
    lines.append("END")
    return "".join(f"{line.rstrip()}\n" for line in lines)


def write_pdb(path: Path, molecule: Molecule, positions: NDArray[np.floating] | None = None) -> None:
    """Writes a PDB file.

    Args:
        path: Where to.
        molecule: The molecule.
        positions: Conformations [N, 3] or [F, N, 3], nm; the molecule's reference if None.

    Raises:
        StorageError: As :func:`pdb_text`, or if there are neither positions nor a reference.
    """
    if positions is None:
        positions = molecule.reference
    if positions is None:
        raise StorageError(f"{molecule.name} has no reference conformation.", fix="Give positions.")
    path.write_text(pdb_text(molecule, positions), encoding="ascii", errors="replace")


def read_positions(path: Path, molecule: Molecule) -> NDArray[np.float64]:
    """Positions [N, 3], nm, of a molecule in the first model of a PDB file, in the order of the molecule.

    Atoms are matched by residue, counted along the file, and name; the order within the file does not matter.

    Raises:
        StorageError: If the file cannot be read, or lacks an atom.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}.", fix="Check the path.") from None
    found: dict[tuple[int, str], tuple[float, ...]] = {}
    residues: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("ENDMDL"):
            break
        if not line.startswith(("ATOM", "HETATM")):
            continue
        if not residues or residues[-1] != line[17:27]:
            residues.append(line[17:27])
        try:
            x = tuple(float(line[i : i + 8]) / _ANGSTROM_PER_NM for i in (30, 38, 46))
        except ValueError:
            raise StorageError(f"{path}, line {number}: the coordinates are torn.") from None
        found[len(residues) - 1, line[12:16].strip()] = x
    labels = list(zip(molecule.residue_index, molecule.atom_names, strict=True))
    if missing := [label for label in labels if label not in found]:
        residue, name = missing[0]
        raise StorageError(
            f"{path} is no conformation of {molecule.name}: {len(missing)} atoms are missing, first {name} of residue "
            f"{residue + 1} ({molecule.residue_names[residue]}).",
            fix="Give a file with the atom names of the run's topology.pdb.",
        )
    return np.array([found[label] for label in labels])


def _atom_columns(molecule: Molecule) -> tuple[list[str], list[str]]:
    """Columns 1-30 and 55-80 of each atom."""
    if molecule.n_atoms >= 99_999:
        raise StorageError(f"{molecule.name} has too many atoms for a PDB file.")
    heads, tails = [], []
    for i, (element, name, residue, charge) in enumerate(
        zip(
            molecule.elements,
            molecule.atom_names,
            molecule.residue_index,
            molecule.formal_charges,
            strict=True,
        )
    ):
        residue_name = molecule.residue_names[residue]
        if len(name) > 4 or len(residue_name) > 3 or abs(charge) > 9:
            raise StorageError(f"Atom {name} of residue {residue_name} does not fit in the columns of a PDB file.")
        record = "ATOM" if residue_name in AMINO_ACIDS else "HETATM"
        # The element symbol is right-justified in columns 13-14, unless the name needs all four columns.
        column = f"{name:<4s}" if len(name) == 4 or len(element) == 2 else f" {name:<3s}"
        heads.append(f"{record:<6s}{i + 1:5d} {column} {residue_name:>3s} A{residue + 1:4d}    ")
        sign = f"{abs(charge)}{'+' if charge > 0 else '-'}" if charge else "  "
        tails.append(f"{1.0:6.2f}{0.0:6.2f}          {element.upper():>2s}{sign}")
    return heads, tails


def _connect_records(molecule: Molecule) -> list[str]:
    """CONECT records of the bonds that follow from no standard residue or peptide bond."""
    names, residue = molecule.atom_names, molecule.residue_index
    partners: dict[int, list[int]] = {}
    for i, j in molecule.bonds:
        standard = all(molecule.residue_names[residue[k]] in AMINO_ACIDS for k in (i, j))
        inside = residue[i] == residue[j] or {names[i], names[j]} == {"C", "N"}
        if not (standard and inside):
            partners.setdefault(i, []).append(j)
            partners.setdefault(j, []).append(i)
    return [
        f"CONECT{i + 1:5d}" + "".join(f"{j + 1:5d}" for j in sorted(row)[start : start + 4])
        for i, row in sorted(partners.items())
        for start in range(0, len(row), 4)
    ]
