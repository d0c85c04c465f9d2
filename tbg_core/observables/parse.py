"""Observables from text, e.g. ``phi``, ``psi:2``, ``distance:1:N,3:O``, ``rg``."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from tbg_core.errors import ConfigError
from tbg_core.molecule.molecule import Molecule
from tbg_core.observables.geometry import angle, dihedral, distance, radius_of_gyration
from tbg_core.observables.observable import Observable
from tbg_core.observables.torsions import TORSION_KINDS, torsions

if TYPE_CHECKING:
    from tbg_core.contracts.system import System

_ATOM_COUNT = {"distance": 2, "angle": 3, "torsion": 4}
_PERIOD = 2.0 * math.pi


def parse_observable(text: str, molecule: System) -> Observable:
    """Reads an observable.

    * ``phi``, ``psi``, ``omega``, ``chi1`` ... ``chi5``: the first one of that kind; ``phi:2`` that of
      residue 2.
    * ``distance:A,B``, ``angle:A,B,C``, ``torsion:A,B,C,D``: an atom is its index in the molecule, from 0; or
      residue, from 1, and name (``2:CA``); or its name alone where only one atom is called so.
    * ``rg``: the radius of gyration.

    Args:
        text: As above.
        molecule: The molecule. Other systems have no observables of this kind.

    Raises:
        ConfigError: Naming what is wrong and listing what the molecule has.
    """
    if not isinstance(molecule, Molecule):
        raise ConfigError(f"{molecule.name} is not a molecule, so it has no observable {text!r}.")
    kind, _, rest = text.strip().partition(":")
    kind, rest = kind.strip(), rest.strip()
    if kind == "rg" and not rest:
        return Observable("rg", "nm", None, partial(radius_of_gyration, masses=molecule.masses))
    if kind in TORSION_KINDS:
        return _named_torsion(kind, rest, molecule)
    if kind in _ATOM_COUNT:
        return _from_atoms(kind, rest, molecule)
    raise ConfigError(
        f"{text!r} is not an observable.",
        fix=f"{molecule.name} has {', '.join(available(molecule))}; "
        "and there are distance:A,B, angle:A,B,C and torsion:A,B,C,D.",
    )


def available(molecule: Molecule) -> tuple[str, ...]:
    """The named observables of a molecule: its torsions in order of kind and residue, then ``rg``."""
    names: list[str] = []
    for kind in TORSION_KINDS:
        residues = tuple(torsions(molecule, kind))
        names.extend(_torsion_name(kind, residue, len(residues)) for residue in residues)
    return (*names, "rg")


def default_observables(molecule: System) -> tuple[Observable, ...]:
    """What a report shows: phi, psi and omega of all residues, and the radius of gyration.

    None for systems that are not molecules.
    """
    if not isinstance(molecule, Molecule):
        return ()
    names = [name for name in available(molecule) if not name.startswith("chi")]
    return tuple(parse_observable(name, molecule) for name in names)


def _torsion_name(kind: str, residue: int, count: int) -> str:
    return kind if count == 1 else f"{kind}:{residue + 1}"


def _named_torsion(kind: str, rest: str, molecule: Molecule) -> Observable:
    found = torsions(molecule, kind)
    residue = next(iter(found), None)
    if rest:
        residue = int(rest) - 1 if rest.isascii() and rest.isdecimal() else None
    if residue is None or residue not in found:
        raise ConfigError(
            f"{molecule.name} has no {kind}{f' in residue {rest}' if rest else ''}.",
            fix=f"It has {', '.join(available(molecule))} (residues are counted from 1).",
        )
    i, j, k, m = atoms = found[residue]
    function = partial(dihedral, i=i, j=j, k=k, l=m)
    return Observable(_torsion_name(kind, residue, len(found)), "rad", _PERIOD, function, atoms)


def _from_atoms(kind: str, rest: str, molecule: Molecule) -> Observable:
    words = [word.strip() for word in rest.split(",")] if rest else []
    if len(words) != _ATOM_COUNT[kind]:
        raise ConfigError(
            f"{kind}:{rest} names {len(words)} atoms; a {kind} needs {_ATOM_COUNT[kind]}.",
            fix=f"Write {kind}:{','.join('ABCD'[: _ATOM_COUNT[kind]])} with atoms like 0 or 1:CA.",
        )
    atoms = tuple(_atom(word, molecule) for word in words)
    if len(set(atoms)) != len(atoms):
        raise ConfigError(f"{kind}:{rest} names an atom twice.", fix="Name different atoms.")
    name = f"{kind}:{','.join(map(str, atoms))}"
    if kind == "distance":
        return Observable(name, "nm", None, partial(distance, i=atoms[0], j=atoms[1]), atoms)
    if kind == "angle":
        return Observable(name, "rad", None, partial(angle, i=atoms[0], j=atoms[1], k=atoms[2]), atoms)
    function = partial(dihedral, i=atoms[0], j=atoms[1], k=atoms[2], l=atoms[3])
    return Observable(name, "rad", _PERIOD, function, atoms)


def _atom(word: str, molecule: Molecule) -> int:
    """Index of the atom that a word means."""
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
