"""Peptides from PDB files, in the atom order of the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tbg_core.contracts.system import SystemSource
from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from openmm import app

    from tbg_core.molecule import Molecule
    from tbg_openmm.config import PdbConfig
    from tbg_openmm.pdb_records import AtomRecord

_SUFFIXES = (".pdb", ".ent")
_LARGEST_FILE = 20_000_000


class PdbSource(SystemSource):
    """Reads one complete peptide with all hydrogens; refuses everything else by name.

    Atom names are those of the file in OpenMM's spelling, residue names say the protonation state (HIE, CYX).

    Args:
        config: The path.
    """

    examples = ("molecule.pdb",)
    """Texts that it reads, shown where a text is not understood."""

    def __init__(self, config: PdbConfig) -> None:
        self.config = config

    @classmethod
    def parse(cls, text: str) -> dict[str, object] | None:
        """Options for paths of existing files, told from names by their suffix or folder."""
        path = Path(text)
        if (path.suffix or len(path.parts) > 1) and path.is_file():
            return {"path": text}
        return None

    def build(self) -> Molecule:
        """The molecule, with the file's coordinates as its reference.

        Raises:
            UnsupportedSystemError: Naming the file, and the residue, atom or line that is not supported.
        """
        path = Path(self.config.path)
        try:
            return read_pdb(_text(path), path.stem)
        except UnsupportedSystemError as error:
            raise UnsupportedSystemError(f"{path}: {error.message}", fix=error.fix) from error


def read_pdb(text: str, name: str) -> Molecule:
    """The molecule of the text of a PDB file.

    Args:
        text: The file.
        name: Of the molecule, for people.

    Raises:
        UnsupportedSystemError: Naming the residue, atom or line that is not supported.
    """
    from tbg_openmm.completeness import check_bonds, check_complete
    from tbg_openmm.pdb_records import read_records
    from tbg_openmm.topology import from_topology

    records = read_records(text.splitlines())
    positions = np.array([record.position for record in records])
    topology = _topology(records)
    check_complete(topology)
    check_bonds(topology, positions)
    return from_topology(topology, positions, name)


def _topology(records: list[AtomRecord]) -> app.Topology:
    """Standard names and bonds by OpenMM's reader, atoms in the order of ``records``."""
    from openmm import OpenMMException, app

    from tbg_core.molecule.residues import VARIANTS

    lines = []
    chains: list[str] = []
    for index, record in enumerate(records):
        if not chains or record.chain != chains[-1]:
            chains.append(record.chain)
        x, y, z = (10 * length for length in record.position)
        residue = VARIANTS.get(record.residue_name, record.residue_name)
        chain = chr(65 + (len(chains) - 1) % 26)
        lines.append(
            f"ATOM  {(index + 1) % 100000:5d} {record.name:<4} {residue:>3} {chain}{record.number:>4}"
            f"    {x:8.3f}{y:8.3f}{z:8.3f}"
        )
    try:
        topology = app.PDBFile(io.StringIO("\n".join([*lines, "END", ""]))).topology
    except (ValueError, OpenMMException) as error:
        raise UnsupportedSystemError(f"OpenMM cannot read it: {error}.") from error
    seen: set[tuple[int, str]] = set()
    for atom, record in zip(topology.atoms(), records, strict=True):
        if (atom.residue.index, atom.name) in seen:
            raise UnsupportedSystemError(
                f"Line {record.line}: atom {record.name} of residue {record.residue} is another "
                f"name of {atom.name}, which is there already.",
                fix="Give every atom of a residue its standard PDB name.",
            )
        seen.add((atom.residue.index, atom.name))
    return topology


def _text(path: Path) -> str:
    if path.is_dir() or not path.exists():
        raise UnsupportedSystemError("No such file.", fix="Check the path.")
    if path.suffix.lower() not in _SUFFIXES:
        raise UnsupportedSystemError("Not a PDB file.", fix="Convert it to PDB and name it .pdb.")
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UnsupportedSystemError(
                f"Larger than {_LARGEST_FILE // 10**6} MB.", fix="Give one model of one peptide."
            )
        return path.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise UnsupportedSystemError(
            f"Byte {error.start} is not ASCII text.", fix="Give an uncompressed PDB file."
        ) from error
    except OSError as error:
        raise UnsupportedSystemError(f"Cannot be read: {error.strerror}.", fix="Check its permissions.") from error
