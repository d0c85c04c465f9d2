"""The OpenMM energy backend."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tbg_core.contracts.energy import EnergyBackend, ThermodynamicState
from tbg_core.errors import EnergyError
from tbg_core.molecule import Molecule
from tbg_openmm.engine.choice import choose_engine
from tbg_openmm.forcefield import create_system, load_forcefield
from tbg_openmm.platforms import choose_platform
from tbg_openmm.presets import CAPPED, PRESETS, Preset, preset_for
from tbg_openmm.target import OpenMMTarget

if TYPE_CHECKING:
    from tbg_core.contracts.system import System
    from tbg_openmm.config import OpenMMConfig


class OpenMMBackend(EnergyBackend):
    """Classical force fields with implicit solvent.

    Args:
        config: Force field, platform, workers.
    """

    def __init__(self, config: OpenMMConfig) -> None:
        self.config = config

    def preset(self, system: System) -> Preset:
        """The potential of one system, with ``auto`` resolved.

        Raises:
            EnergyError: If the system is not a molecule.
        """
        if not isinstance(system, Molecule):
            raise EnergyError(
                f"OpenMM evaluates molecules; {system.name} is a {type(system).__name__}.",
                fix="Choose the energy that belongs to this system with --energy.",
            )
        config = self.config
        if config.preset == "auto":
            return preset_for(system.residue_names)
        if config.preset != "custom":
            return PRESETS[config.preset]
        return replace(
            CAPPED,
            name="custom",
            forcefield=config.forcefield,
            nonbonded_method=config.nonbonded_method or "NoCutoff",
            cutoff_nm=config.cutoff_nm or 2.0,
            source="",
        )

    def default_temperature_K(self, system: System) -> float:
        """Temperature of the preset; 300 K for a custom force field."""
        return self.preset(system).temperature_K

    def bind(self, system: System, state: ThermodynamicState) -> OpenMMTarget:
        """Parametrises a molecule.

        Raises:
            EnergyError: If the system is not a molecule, a force-field file is not trusted, parameters are
                missing, or the platform or the evaluator does not work.
        """
        preset, config = self.preset(system), self.config
        assert isinstance(system, Molecule)  # noqa: S101 - preset() refuses others
        forcefield = load_forcefield(preset.forcefield, trust=config.trust_forcefield)
        openmm_system = create_system(system, forcefield, preset.nonbonded_method, preset.cutoff_nm)
        platform = choose_platform(openmm_system, config.platform, config.precision)
        chosen = config.evaluator if config.platform == "auto" else "openmm"
        engine, reason = choose_engine(openmm_system, system.name, chosen, config.precision, max(1, config.workers))
        description: dict[str, Any] = {
            "preset": preset.name,
            "forcefield": list(preset.forcefield),
            "nonbonded_method": preset.nonbonded_method,
            "constraints": None,
        }
        if preset.nonbonded_method != "NoCutoff":
            description["cutoff_nm"] = preset.cutoff_nm
        if reason:
            description["platform_reason"] = reason
        return OpenMMTarget(
            system,
            state,
            openmm_system,
            platform,
            engine=engine,
            workers=config.workers,
            description=description,
            friction_per_ps=preset.friction_per_ps,
        )
