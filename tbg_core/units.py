"""The unit system: nm, ps, amu, K, kJ/mol; reduced energies are in units of kT.

The Boltzmann constant is the CODATA 2018 value times Avogadro's number, as OpenMM uses it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from tbg_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

BOLTZMANN_KJ_PER_MOL_K: Final = 8.31446261815324e-3
KCAL_PER_KJ: Final = 1.0 / 4.184

ENERGY_UNITS: Final = ("kT", "kJ/mol", "kcal/mol")

_GEOMETRY: Final[dict[str, dict[str, float]]] = {
    "angle": {"rad": 1.0, "degree": 180.0 / math.pi},
    "length": {"nm": 1.0, "angstrom": 10.0},
}
"""Units by what they measure, each with the number that one unit of ours is in it."""

_OTHER_NAMES: Final = {
    "deg": "degree",
    "degrees": "degree",
    "°": "degree",
    "radian": "rad",
    "radians": "rad",
    "ang": "angstrom",
    "å": "angstrom",
    "kt": "kT",
    "kj/mol": "kJ/mol",
}


class Units(NamedTuple):
    """The units that results are shown in."""

    energy: str = "kT"
    angle: str = "degree"
    length: str = "nm"

    @classmethod
    def parse(cls, names: Iterable[str]) -> Units:
        """The defaults with what is named put in its place: ``parse(["kcal/mol", "angstrom"])``.

        Raises:
            ConfigError: If a name is no unit, or two are of one kind.
        """
        chosen: dict[str, str] = {}
        for text in names:
            name = _OTHER_NAMES.get(text.strip().lower(), text.strip())
            name = name.lower() if name.lower() in {u for units in _GEOMETRY.values() for u in units} else name
            kind = (
                "energy" if name in ENERGY_UNITS else next((k for k, units in _GEOMETRY.items() if name in units), "")
            )
            if not kind:
                known = [*ENERGY_UNITS, *(u for units in _GEOMETRY.values() for u in units)]
                raise ConfigError(f"unknown unit {text!r}.", fix=f"Units are {', '.join(known)}.")
            if chosen.setdefault(kind, name) != name:
                raise ConfigError(f"two units of {kind}: {chosen[kind]} and {name}.", fix="Give one.")
        return cls(**chosen)

    def of(self, unit: str) -> str:
        """The unit in which a quantity in ``unit`` is shown: ``"degree"`` for ``"rad"``; others stay."""
        return next((getattr(self, kind) for kind, units in _GEOMETRY.items() if unit in units), unit)


def unit_factor(unit: str, wanted: str) -> float:
    """The number by which a value in ``unit`` is multiplied to be in ``wanted``.

    Raises:
        ConfigError: If they do not measure the same.
    """
    if unit == wanted:
        return 1.0
    for units in _GEOMETRY.values():
        if unit in units and wanted in units:
            return units[wanted] / units[unit]
    same = next((tuple(units) for units in _GEOMETRY.values() if unit in units), (unit,))
    fix = f"Units of this quantity: {', '.join(same)}." if unit else "It has no unit."
    raise ConfigError(f"{unit or 'a number'} cannot be turned into {wanted}.", fix=fix)


def thermal_energy(temperature_K: float) -> float:
    """Returns kT in kJ/mol at ``temperature_K``."""
    return BOLTZMANN_KJ_PER_MOL_K * temperature_K


def energy_unit(unit: str, temperature_K: float) -> float:
    """Returns the factor that turns an energy in kT into ``unit``.

    Args:
        unit: ``"kT"``, ``"kJ/mol"`` or ``"kcal/mol"``.
        temperature_K: Temperature that defines kT.

    Raises:
        ValueError: If the unit is not one of the three.
    """
    kT = thermal_energy(temperature_K)
    factors = {"kT": 1.0, "kJ/mol": kT, "kcal/mol": kT * KCAL_PER_KJ}
    if unit not in factors:
        raise ValueError(f"unknown energy unit {unit!r}; use one of {', '.join(factors)}")
    return factors[unit]
