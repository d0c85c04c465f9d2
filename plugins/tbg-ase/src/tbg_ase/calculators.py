"""The calculators that a config may name, and how each is made.

Engines are imported where they are made, so that a worker process can limit their threads before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

FAR_ANGSTROM: Final = 1e5
"""Stands for no cutoff: beyond any conformation that is evaluated."""

_METHODS: Final = {"gfn2-xtb": "GFN2-xTB", "gfn1-xtb": "GFN1-xTB"}


@dataclass(frozen=True)
class Choice:
    """A calculator with everything that decides its numbers; picklable.

    Attributes:
        name: Name in the allow-list.
        elements: Element symbols [N].
        options: Its options, in ASE's units (Angstrom, eV, K).
    """

    name: str
    elements: tuple[str, ...]
    options: dict[str, Any]

    def atoms(self) -> Atoms:
        """Atoms at the origin with a fresh calculator."""
        from ase import Atoms

        atoms = Atoms(self.elements)
        atoms.calc = _MAKERS[self.name](self)
        return atoms

    def versions(self) -> dict[str, str]:
        """Versions of the engines by name."""
        import ase

        versions = {"ase_version": ase.__version__}
        if self.name in _METHODS:
            from tblite.library import get_version

            versions["tblite_version"] = ".".join(map(str, get_version()))
        return versions


def _xtb(choice: Choice) -> Calculator:
    from tblite.ase import TBLite

    # Without its cache each conformation begins from the same guess. Restarted from the density of the conformation
    # before, the last digits of an energy would depend on the order of evaluation.
    return TBLite(method=_METHODS[choice.name], cache_api=False, verbosity=0, **choice.options)


def _emt(choice: Choice) -> Calculator:
    from ase.calculators.emt import EMT

    return EMT(**choice.options)


def _lennard_jones(choice: Choice) -> Calculator:
    from ase.calculators.lj import LennardJones

    return LennardJones(rc=FAR_ANGSTROM, **choice.options)


def _tip3p(choice: Choice) -> Calculator:
    from ase.calculators.tip3p import TIP3P

    return TIP3P(rc=FAR_ANGSTROM, **choice.options)


_MAKERS: Final = {
    "gfn2-xtb": _xtb,
    "gfn1-xtb": _xtb,
    "emt": _emt,
    "lennard-jones": _lennard_jones,
    "tip3p": _tip3p,
}
