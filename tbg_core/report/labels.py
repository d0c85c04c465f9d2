"""Observables and atoms as a reader wants them: Greek letters, degrees, residues."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.molecule import Molecule
    from tbg_core.report.clouds import Measure

_SYMBOLS: Final = {"phi": "φ", "psi": "ψ", "omega": "ω", "rg": "radius of gyration"}
_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_UNITS: Final = {"degree": "°", "angstrom": "Å"}


def symbol(name: str) -> str:
    """``"phi:2"`` as ``"φ 2"``, ``"x:0"`` as ``"x₀"``, ``"rg"`` in words; other names as they are."""
    kind, _, rest = name.partition(":")
    if kind == "x" and rest.isdecimal():
        return "x" + rest.translate(_SUBSCRIPTS)
    if match := re.fullmatch(r"chi(\d)", kind):
        return f"χ{match.group(1)} {rest}".strip()
    return f"{_SYMBOLS[kind]} {rest}".strip() if kind in _SYMBOLS else name


def headline(label: str) -> str:
    """With a capital: ``"Reference MD"``."""
    return label[:1].upper() + label[1:]


def unit_symbol(unit: str) -> str:
    """``"degree"`` as ``"°"``; other units as they are."""
    return _UNITS.get(unit, unit)


def name_of(observable: Measure) -> str:
    """Name of an observable, for people."""
    return symbol(str(getattr(observable, "name", "observable")))


def axis_label(observable: Measure) -> str:
    """Name and unit, as along an axis: ``"φ 2 / °"``."""
    unit = unit_symbol(str(getattr(observable, "unit", "")))
    return f"{name_of(observable)} / {unit}" if unit else name_of(observable)


def with_unit(observable: Measure, value: float) -> str:
    """``"φ 2 = −65.1°"``, to three digits."""
    unit = unit_symbol(str(getattr(observable, "unit", "")))
    gap = "" if unit in {"", "°"} else " "
    return f"{name_of(observable)} = {value:.3g}{gap}{unit}".replace("-", "−")


def atoms_label(molecule: Molecule, atoms: Sequence[int]) -> str:
    """Bonded or distant atoms by name: ``"ALA 2 N–CA"``, ``"ACE 1 C – ALA 2 N"``."""
    residues = [molecule.residue_index[i] for i in atoms]
    names = [molecule.atom_names[i] for i in atoms]
    where = [f"{molecule.residue_names[r]} {r + 1}" for r in residues]
    if len(set(residues)) == 1:
        return f"{where[0]} {'–'.join(names)}"
    return " – ".join(f"{place} {name}" for place, name in zip(where, names, strict=True))
