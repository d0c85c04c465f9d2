"""The ASE energy backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_ase.calculators import Choice
from tbg_ase.chemistry import calculator_options, check_elements, warn_of_limits
from tbg_ase.target import AseTarget
from tbg_core.contracts.energy import EnergyBackend, ThermodynamicState
from tbg_core.errors import EnergyError
from tbg_core.molecule import Molecule

if TYPE_CHECKING:
    from tbg_ase.config import AseConfig
    from tbg_core.contracts.system import System


class AseBackend(EnergyBackend):
    """Calculators of ASE from an allow-list.

    Args:
        config: Calculator, its settings, workers.
    """

    def __init__(self, config: AseConfig) -> None:
        self.config = config

    def bind(self, system: System, state: ThermodynamicState) -> AseTarget:
        """Sets a calculator up for a molecule, which is probed at its reference conformation.

        Raises:
            EnergyError: If the system is not a molecule, its charge or spin is not known, or the calculator has no
                parameters for it or cannot be set up.
        """
        if not isinstance(system, Molecule):
            raise EnergyError(
                f"ASE evaluates molecules; {system.name} is a {type(system).__name__}.",
                fix="Choose the energy that belongs to this system with --energy.",
            )
        check_elements(system, self.config)
        choice = Choice(self.config.calculator, system.elements, calculator_options(system, self.config))
        _probe(choice, system)
        warn_of_limits(system, self.config)
        described = {"calculator": choice.name, **self.config.relevant_options()}
        described |= {key: choice.options[key] for key in ("charge", "multiplicity") if key in choice.options}
        if self.config.solvent:
            described["solvation"] = "ALPB"
        return AseTarget(system, state, choice, described, self.config.workers)


def _probe(choice: Choice, molecule: Molecule) -> None:
    """Computes one energy, so that an unknown solvent is an error here and not a row that failed."""
    from ase.calculators.calculator import InputError

    from tbg_ase.evaluation import ANGSTROM_PER_NM, one_thread

    if molecule.reference is None:
        return
    atoms = choice.atoms()
    atoms.positions = molecule.reference * ANGSTROM_PER_NM
    try:
        with one_thread():
            atoms.get_potential_energy()
    except InputError as error:
        raise EnergyError(
            f"{choice.name} cannot be set up for {molecule.name}: {' '.join(str(error).split())}.",
            fix="Look at the options of the energy: tbg components show ase.",
        ) from error
    except Exception:  # noqa: BLE001 - a poor reference is for the sampler to deal with, row by row
        return
