"""Strict reading of the atom records of a PDB file: what OpenMM would skip in silence is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.residues import AMINO_ACIDS, CAPS, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterable

_WATERS: Final = frozenset({"HOH", "WAT", "H2O", "SOL", "TIP", "TIP3", "TP3", "T3P", "T4P", "SPC", "DOD"})
_KNOWN: Final = frozenset({*AMINO_ACIDS, *CAPS, *VARIANTS, "NHE", "NMA"})
_ELEMENTS: Final = frozenset("HCNOS")


@dataclass(frozen=True)
class AtomRecord:
    """One ATOM or HETATM line.

    Attributes:
        line: Line number from 1.
        name: Atom name.
        residue_name: Residue name as in the file.
        chain: Chain identifier.
        number: Residue number as in the file.
        position: Coordinates, nm.
    """

    line: int
    name: str
    residue_name: str
    chain: str
    number: str
    position: tuple[float, float, float]

    @property
    def residue(self) -> str:
        """The residue as people name it."""
        return f"{self.residue_name} {self.number}{f' of chain {self.chain}' if self.chain else ''}"


def read_records(lines: Iterable[str]) -> list[AtomRecord]:
    """Reads the atoms of the only model, in the order of the file.

    Raises:
        UnsupportedSystemError: Naming the line or residue: torn lines, several models, alternate locations,
            insertion codes, waters, ligands, residues in pieces or with a shared number, atoms given twice.
    """
    records: list[AtomRecord] = []
    models = 0
    for number, text in enumerate(lines, start=1):
        line = text.rstrip("\r\n")
        models += line.startswith("MODEL ")
        if models > 1:
            raise UnsupportedSystemError(f"Line {number}: a second model.", fix="Keep one model in the file.")
        if line.startswith(("ATOM", "HETATM")):
            records.append(_atom(number, line))
    if not records:
        raise UnsupportedSystemError("There are no atoms.", fix="Give a PDB file with ATOM records.")
    _check_residues(records)
    return records


def _atom(number: int, line: str) -> AtomRecord:
    if len(line) < 54:
        raise UnsupportedSystemError(
            f"Line {number} is cut short: {line!r}.",
            fix="The file is torn or not PDB; copy or export it again.",
        )
    try:
        x, y, z = (float(line[start : start + 8]) for start in (30, 38, 46))
    except ValueError as error:
        raise UnsupportedSystemError(
            f"Line {number} has no coordinates in columns 31-54: {line[30:54]!r}.",
            fix="The columns of the file are damaged; export it again.",
        ) from error
    if not all(map(math.isfinite, (x, y, z))):
        raise UnsupportedSystemError(f"Line {number} has coordinates that are not finite: {line[30:54]!r}.")
    record = AtomRecord(
        line=number,
        name=line[12:16].strip(),
        residue_name=line[17:21].strip().upper(),
        chain=line[21].strip(),
        number=line[22:26].strip(),
        position=(x / 10, y / 10, z / 10),
    )
    _check_atom(record, line)
    return record


def _check_atom(record: AtomRecord, line: str) -> None:
    where = f"Line {record.line}, residue {record.residue}"
    if record.residue_name in _WATERS:
        raise UnsupportedSystemError(f"{where}: water.", fix="Remove it; the solvent is implicit.")
    if record.residue_name not in _KNOWN:
        kind = "ligand or unknown residue" if line.startswith("HETATM") else "unknown residue"
        raise UnsupportedSystemError(
            f"{where}: {kind} {record.residue_name!r}.",
            fix="Only peptides of the twenty amino acids, ACE, NME, NH2.",
        )
    if line[16] != " ":
        raise UnsupportedSystemError(
            f"{where}: atom {record.name} has an alternate location {line[16]!r}.",
            fix="Keep one location per atom.",
        )
    if line[26] != " ":
        raise UnsupportedSystemError(f"{where}: insertion code {line[26]!r}.", fix="Renumber the residues.")
    element = record.name.lstrip("0123456789")[:1]
    stated = line[76:78].strip().upper()
    if element not in _ELEMENTS or stated not in ("", element):
        raise UnsupportedSystemError(
            f"{where}: atom {record.name!r} of element {stated or element!r} does not belong in a peptide.",
            fix="Correct the atom name in columns 13-16 and the element in columns 77-78.",
        )


def _check_residues(records: list[AtomRecord]) -> None:
    closed: dict[tuple[str, str], str] = {}
    names: set[str] = set()
    previous: AtomRecord | None = None
    for record in records:
        place = (record.chain, record.number)
        if previous is None or place != (previous.chain, previous.number):
            if place in closed:
                raise UnsupportedSystemError(
                    f"Line {record.line}: residue {record.residue} begins again.",
                    fix="Keep the atoms of a residue together, and number residues without repeats.",
                )
            closed[place] = record.residue_name
            names = set()
        elif record.residue_name != closed[place]:
            raise UnsupportedSystemError(
                f"Line {record.line}: residue {record.number} is {closed[place]} and {record.residue_name}.",
                fix="Give every residue its own number.",
            )
        if record.name in names:
            raise UnsupportedSystemError(
                f"Line {record.line}: atom {record.name} of residue {record.residue} occurs twice.",
                fix="Give every atom of a residue its own name.",
            )
        names.add(record.name)
        previous = record
