"""phi, psi, omega and chi1 to chi5 as observables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tbg_core.contracts.observable import ObservableSource
from tbg_core.errors import ConfigError
from tbg_core.molecule.molecule import Molecule
from tbg_core.observables.internal import internal_coordinate
from tbg_core.observables.torsions import TORSION_KINDS, torsions

if TYPE_CHECKING:
    from collections.abc import Collection

    from tbg_core.contracts.system import System
    from tbg_core.observables.config import TorsionsConfig
    from tbg_core.observables.observable import Observable


class Torsions(ObservableSource):
    """``phi``: the first torsion of that kind; ``phi:2``: that of residue 2, counted from 1."""

    def __init__(self, config: TorsionsConfig) -> None:
        self.config = config

    @override
    def names(self, system: System) -> tuple[str, ...]:
        """By kind, then by residue."""
        if not isinstance(system, Molecule):
            return ()
        found = {kind: tuple(torsions(system, kind)) for kind in TORSION_KINDS}
        return tuple(by_residue(kind, r, len(residues)) for kind, residues in found.items() for r in residues)

    @override
    def defaults(self, system: System) -> tuple[str, ...]:
        """Those of the backbone."""
        return tuple(name for name in self.names(system) if not name.startswith("chi"))

    @override
    def parse(self, text: str, system: System) -> Observable | None:
        """A torsion (rad)."""
        kind, _, rest = (part.strip() for part in text.partition(":"))
        if kind not in TORSION_KINDS or not isinstance(system, Molecule):
            return None
        found = torsions(system, kind)
        residue = chosen_residue(kind, rest, found, system, self.names(system))
        return internal_coordinate("torsion", found[residue], by_residue(kind, residue, len(found)))


def by_residue(kind: str, residue: int, count: int) -> str:
    """The name of one of ``count`` things of a kind, found in a residue counted from 0."""
    return kind if count == 1 else f"{kind}:{residue + 1}"


def chosen_residue(kind: str, text: str, residues: Collection[int], molecule: Molecule, names: tuple[str, ...]) -> int:
    """The residue, from 0, that a number from 1 means, or the first one if there is none.

    Raises:
        ConfigError: If there is no such thing in that residue; lists ``names``.
    """
    residue = next(iter(residues), None)
    if text:
        residue = int(text) - 1 if text.isascii() and text.isdecimal() else None
    if residue is None or residue not in residues:
        raise ConfigError(
            f"{molecule.name} has no {kind}{f' in residue {text}' if text else ''}.",
            fix=f"It has {', '.join(names) or 'none at all'} (residues are counted from 1).",
        )
    return residue
