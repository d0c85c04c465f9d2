"""What a calculator has to know about a molecule beyond where its atoms are, and what it cannot do."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from tbg_ase.config import XTB, AseConfig
from tbg_core.errors import EnergyError, ReliabilityWarning

if TYPE_CHECKING:
    from tbg_core.molecule import Molecule

_LAST_ELEMENT = 86


def electronic_state(molecule: Molecule, multiplicity: int | None) -> tuple[int, int]:
    """Total charge (e) and spin multiplicity.

    Raises:
        EnergyError: If either is not known, or they contradict each other.
    """
    from ase.data import atomic_numbers

    if len(molecule.formal_charges) != molecule.n_atoms:
        raise EnergyError(
            f"The charge of {molecule.name} is not known: it has {len(molecule.formal_charges)} formal charges "
            f"for {molecule.n_atoms} atoms.",
            fix="Give the molecule with its formal charges.",
        )
    electrons = sum(atomic_numbers[element] for element in molecule.elements) - molecule.total_charge
    if multiplicity is None:
        if electrons % 2:
            raise EnergyError(
                f"The spin of {molecule.name} is not known: it has {electrons} electrons, an odd number.",
                fix="Say it, e.g. -s energy.multiplicity=2.",
            )
        return molecule.total_charge, 1
    if (multiplicity - 1) % 2 != electrons % 2 or multiplicity - 1 > electrons:
        raise EnergyError(
            f"{molecule.name} has {electrons} electrons and cannot have the multiplicity {multiplicity}.",
            fix=f"Choose an {'even' if electrons % 2 else 'odd'} energy.multiplicity.",
        )
    return molecule.total_charge, multiplicity


def check_elements(molecule: Molecule, config: AseConfig) -> None:
    """Refuses molecules that the calculator has no parameters for.

    Raises:
        EnergyError: Naming the element, or what else does not fit.
    """
    from ase.data import atomic_numbers

    name = config.calculator
    if name in XTB:
        lacking = {e for e in molecule.elements if atomic_numbers.get(e, _LAST_ELEMENT + 1) > _LAST_ELEMENT}
    elif name == "emt":
        from ase.calculators.emt import parameters

        lacking = set(molecule.elements) - set(parameters)
    else:
        lacking = set()
    if lacking:
        raise EnergyError(
            f"{name} has no parameters for {', '.join(sorted(lacking))}, which {molecule.name} contains.",
            fix="Choose another -s energy.calculator=NAME.",
        )
    if name == "lennard-jones" and len(set(molecule.elements)) > 1:
        raise EnergyError(
            f"lennard-jones is for one kind of atom; {molecule.name} has {', '.join(sorted(set(molecule.elements)))}.",
            fix="Choose another -s energy.calculator=NAME.",
        )
    if name == "tip3p" and not _is_water(molecule):
        raise EnergyError(
            f"tip3p is for waters, each in the order O, H, H; {molecule.name} is something else.",
            fix="Choose another -s energy.calculator=NAME.",
        )


def warn_of_limits(molecule: Molecule, config: AseConfig) -> None:
    """Says what the energy will not describe, though it can be computed."""
    name = config.calculator
    if name in XTB and config.solvent is None and is_zwitterion(molecule):
        _warn(
            f"{molecule.name} is a zwitterion, which is not stable in vacuum: a proton moves from the positive to the "
            "negative group when they meet, and such conformations count as broken molecules. "
            "Choose -s energy.solvent=water."
        )
    if name == "emt" and set(molecule.elements) & {"H", "C", "N", "O"}:
        _warn("EMT's parameters of H, C, N and O are not for serious use.")
    if name == "tip3p":
        _warn("TIP3P describes rigid waters: it has no bonds, and exp(-U/kT) of free atoms cannot be normalised.")


def is_zwitterion(molecule: Molecule) -> bool:
    """True if two groups carry opposite formal charges; those of bonded atoms (nitro) are one group."""
    charges = molecule.formal_charges
    positive = [i for i, q in enumerate(charges) if q > 0 and not any(charges[j] < 0 for j in molecule.neighbours[i])]
    negative = [i for i, q in enumerate(charges) if q < 0 and not any(charges[j] > 0 for j in molecule.neighbours[i])]
    return bool(positive and negative)


def calculator_options(molecule: Molecule, config: AseConfig) -> dict[str, Any]:
    """Options of the calculator in ASE's units."""
    from ase import units

    if config.calculator in XTB:
        charge, multiplicity = electronic_state(molecule, config.multiplicity)
        options: dict[str, Any] = {
            "charge": charge,
            "multiplicity": multiplicity,
            "accuracy": config.accuracy,
            "electronic_temperature": config.electronic_temperature_K,
            "max_iterations": config.max_iterations,
        }
        return options | ({"solvation": ("alpb", config.solvent)} if config.solvent else {})
    if config.sigma_nm is not None and config.epsilon_kJ_mol is not None:
        return {"sigma": config.sigma_nm * units.nm, "epsilon": config.epsilon_kJ_mol * units.kJ / units.mol}
    return {}


def _is_water(molecule: Molecule) -> bool:
    waters = range(0, molecule.n_atoms, 3)
    bonds = tuple(sorted((o, o + h) for o in waters for h in (1, 2)))
    return molecule.elements == ("O", "H", "H") * len(waters) and molecule.bonds == bonds


def _warn(text: str) -> None:
    warnings.warn(text, ReliabilityWarning, stacklevel=4)
