"""The unit system: nm, ps, amu, K, kJ/mol; reduced energies are in units of kT.

The Boltzmann constant is the CODATA 2018 value times Avogadro's number, as OpenMM uses it.
"""

from __future__ import annotations

from typing import Final

BOLTZMANN_KJ_PER_MOL_K: Final = 8.31446261815324e-3
KCAL_PER_KJ: Final = 1.0 / 4.184


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
