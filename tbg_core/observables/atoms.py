"""Atoms of a molecule as a user writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.errors import ConfigError

if TYPE_CHECKING:
    from tbg_core.molecule.molecule import Molecule


def find_atom(word: str, molecule: Molecule) -> int:
    """Index of the atom that a word means: ``7``, ``2:CA``, or ``CA`` where only one atom is called so.

    Indices count from 0, residues from 1.

    Raises:
        ConfigError: Naming what is wrong and listing what there is.
    """
    if word.isascii() and word.isdecimal():
        if int(word) < molecule.n_atoms:
            return int(word)
        raise ConfigError(
            f"{molecule.name} has no atom {word}.", fix=f"Atoms are counted from 0 to {molecule.n_atoms - 1}."
        )
    place, colon, name = word.rpartition(":")
    if colon and place.isascii() and place.isdecimal() and 1 <= int(place) <= len(molecule.residue_names):
        residue = int(place) - 1
        index = molecule.atom(residue, name)
        if index is not None:
            return index
        pairs = zip(molecule.residue_index, molecule.atom_names, strict=True)
        names = ", ".join(n for r, n in pairs if r == residue)
        raise ConfigError(
            f"Residue {place} ({molecule.residue_names[residue]}) has no atom {name!r}.",
            fix=f"It has {names}.",
        )
    matches = [] if colon else [i for i, n in enumerate(molecule.atom_names) if n == name]
    if len(matches) == 1:
        return matches[0]
    residues = ", ".join(f"{i} {name}" for i, name in enumerate(molecule.residue_names, start=1))
    problem = f"{len(matches)} atoms are called {name!r}" if matches else f"no atom {word!r}"
    raise ConfigError(
        f"{molecule.name}: {problem}.",
        fix=f"Give an index from 0, or residue:name; the residues are {residues}.",
    )
