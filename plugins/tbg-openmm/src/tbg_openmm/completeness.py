"""Is a peptide from a file whole? Compared with the residue templates of Amber ff14SB."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
from openmm import app

from tbg_core.errors import UnsupportedSystemError
from tbg_openmm.chemistry import protonation_name
from tbg_openmm.forcefield import bundled_file

if TYPE_CHECKING:
    from openmm.app.topology import Atom, Residue

_TEMPLATES: Final = "amber14/protein.ff14SB.xml"
_LONGEST_BOND: Final = 0.25
_SHORTEST_BOND: Final = 0.06
# Where OpenMM's topologies and the templates name the same atom differently.
_RENAMED: Final = {("NME", "CH3"): "C"}


def check_bonds(topology: app.Topology, positions: np.ndarray) -> None:
    """Refuses bonds that the coordinates contradict, and molecules in pieces.

    Raises:
        UnsupportedSystemError: Naming the two atoms or residues.
    """
    for a, b in topology.bonds():
        length = float(np.linalg.norm(positions[a.index] - positions[b.index]))
        if length > _LONGEST_BOND and a.residue is not b.residue:
            raise UnsupportedSystemError(
                f"The chain is broken between residues {_name(a.residue)} and {_name(b.residue)}: {a.name} "
                f"and {b.name} are {length:.2f} nm apart.",
                fix="Give one unbroken chain; residues may be missing in between.",
            )
        if not _SHORTEST_BOND < length < _LONGEST_BOND:
            raise UnsupportedSystemError(
                f"Bonded atoms {a.name} and {b.name} of {_name(a.residue)} are {length:.2f} nm apart.",
                fix="Correct the coordinates or the atom names.",
            )
    others = _pieces(topology)[1:]
    if others:
        raise UnsupportedSystemError(
            f"The file holds {1 + len(others)} molecules; residue {_name(others[0].residue)} begins another.",
            fix="Give one molecule per file.",
        )


def check_complete(topology: app.Topology) -> None:
    """Refuses residues with missing or surplus atoms.

    Raises:
        UnsupportedSystemError: Naming the residue and the heavy atoms, or the number of hydrogens.
    """
    unmatched = app.ForceField(str(bundled_file(_TEMPLATES))).getUnmatchedResidues(topology)
    if not unmatched:
        return
    # A neighbour of an incomplete residue may not match either, though nothing is wrong with it.
    problems = [(_differences(residue), residue) for residue in unmatched]
    for differences, residue in problems:
        if differences:
            raise UnsupportedSystemError(
                f"Residue {_name(residue)} {differences}.",
                fix="Complete the file first, e.g. with PDBFixer, or name the peptide by its sequence.",
            )
    raise UnsupportedSystemError(
        f"The force fields have no parameters for residue {_name(unmatched[0])} in this state or place.",
        fix="Use another protonation state, or cap the ends by ACE and NME.",
    )


def _differences(residue: Residue) -> str:
    """What is missing or too much, in words; empty if the residue is complete."""
    atoms = {atom.name: atom for atom in residue.atoms()}
    wanted = _wanted(residue, atoms)
    heavy = {name for name, atom in atoms.items() if atom.element.symbol != "H"}
    wanted_heavy = {name for name in wanted if not name.startswith("H")}
    if wanted_heavy - heavy:
        return f"lacks the heavy atoms {', '.join(sorted(wanted_heavy - heavy))}"
    if heavy - wanted_heavy:
        return f"has atoms that do not belong there: {', '.join(sorted(heavy - wanted_heavy))}"
    surplus = (len(atoms) - len(heavy)) - (len(wanted) - len(wanted_heavy))
    if surplus:
        count = f"{abs(surplus)} hydrogen{'s' if abs(surplus) > 1 else ''}"
        return f"has {count} too many" if surplus > 0 else f"lacks {count}"
    return ""


def _wanted(residue: Residue, atoms: dict[str, Atom]) -> frozenset[str]:
    """Atom names of the template that the residue should match, in OpenMM's naming of heavy atoms."""
    residues = list(residue.chain.residues())
    name = {"HIS": "HIE", "NH2": "NHE"}.get(residue.name, residue.name)
    state = protonation_name(residue.name, atoms, bridged=residue.name == "CYS")
    name = state if state != residue.name else name
    if name not in ("ACE", "NME", "NHE"):
        name = {residues[0]: "N", residues[-1]: "C"}.get(residue, "") + name
    return _template_atoms().get(name, frozenset(atoms))


@cache
def _template_atoms() -> dict[str, frozenset[str]]:
    # The file is OpenMM's own, so that the parser meets nothing hostile.
    root = ET.parse(bundled_file(_TEMPLATES)).getroot()  # noqa: S314
    return {
        residue.attrib["name"]: frozenset(
            _RENAMED.get((residue.attrib["name"], atom.attrib["name"]), atom.attrib["name"])
            for atom in residue.findall("Atom")
        )
        for residue in root.iterfind("Residues/Residue")
    }


def _pieces(topology: app.Topology) -> list[Atom]:
    """The first atom of every connected piece."""
    atoms = list(topology.atoms())
    neighbours: dict[int, list[int]] = {atom.index: [] for atom in atoms}
    for a, b in topology.bonds():
        neighbours[a.index].append(b.index)
        neighbours[b.index].append(a.index)
    seen: set[int] = set()
    firsts = []
    for atom in atoms:
        if atom.index in seen:
            continue
        firsts.append(atom)
        stack = [atom.index]
        while stack:
            index = stack.pop()
            if index not in seen:
                seen.add(index)
                stack.extend(neighbours[index])
    return firsts


def _name(residue: Residue) -> str:
    return f"{residue.name} {residue.id}"
