"""Distances, angles and torsions between atoms that the user names."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from typing_extensions import override

from tbg_core.contracts.observable import ObservableSource
from tbg_core.errors import ConfigError
from tbg_core.molecule.molecule import Molecule
from tbg_core.observables.atoms import find_atom
from tbg_core.observables.geometry import angle, dihedral, distance
from tbg_core.observables.observable import Observable

if TYPE_CHECKING:
    from tbg_core.contracts.system import System
    from tbg_core.observables.config import InternalCoordinatesConfig

_ATOM_COUNT: Final = {"distance": 2, "angle": 3, "torsion": 4}


class InternalCoordinates(ObservableSource):
    """``distance:A,B``, ``angle:A,B,C`` and ``torsion:A,B,C,D``; atoms as :func:`find_atom` reads them."""

    forms: ClassVar[tuple[str, ...]] = ("distance:A,B", "angle:A,B,C", "torsion:A,B,C,D")

    def __init__(self, config: InternalCoordinatesConfig) -> None:
        self.config = config

    @override
    def names(self, system: System) -> tuple[str, ...]:
        """None: which atoms matter is for the user to say."""
        return ()

    @override
    def parse(self, text: str, system: System) -> Observable | None:
        """A distance (nm), angle or torsion (rad) between atoms."""
        kind, _, rest = (part.strip() for part in text.partition(":"))
        if kind not in _ATOM_COUNT or not isinstance(system, Molecule):
            return None
        words = [word.strip() for word in rest.split(",")] if rest else []
        count = _ATOM_COUNT[kind]
        if len(words) != count:
            raise ConfigError(
                f"{kind}:{rest} names {len(words)} atoms; a {kind} needs {count}.",
                fix=f"Write {kind}:{','.join('ABCD'[:count])} with atoms like 0 or 1:CA.",
            )
        atoms = tuple(find_atom(word, system) for word in words)
        if len(set(atoms)) != len(atoms):
            raise ConfigError(f"{kind}:{rest} names an atom twice.", fix="Name different atoms.")
        return internal_coordinate(kind, atoms)


def internal_coordinate(kind: str, atoms: tuple[int, ...], name: str = "") -> Observable:
    """The distance, angle or torsion between atoms, called by their indices unless a name is given."""
    name = name or f"{kind}:{','.join(map(str, atoms))}"
    if kind == "distance":
        return Observable(name, "nm", None, partial(distance, i=atoms[0], j=atoms[1]), atoms)
    if kind == "angle":
        return Observable(name, "rad", None, partial(angle, i=atoms[0], j=atoms[1], k=atoms[2]), atoms)
    function = partial(dihedral, i=atoms[0], j=atoms[1], k=atoms[2], l=atoms[3])
    return Observable(name, "rad", 2.0 * math.pi, function, atoms)
