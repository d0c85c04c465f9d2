"""The short way to a system and its energy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import ConfigError
from tbg_core.registry import get_registry

if TYPE_CHECKING:
    from tbg_core.contracts.energy import EnergyBackend, Target
    from tbg_core.contracts.system import System, SystemSource
    from tbg_core.registry.references import Reference


def load_system(system: Reference | Path) -> System:
    """A molecule or another system.

    Args:
        system: A name, a one-letter sequence, residue codes (``"ACE-ALA-NME"``), a PDB path, or a mapping
            with the ``name`` of a system source and its options.

    Raises:
        UnsupportedSystemError: If it is not understood or not supported; names the reason.
    """
    registry = get_registry()
    source: SystemSource = registry.build(
        "system", registry.resolve_system(str(system) if isinstance(system, Path) else system)
    )
    return source.build()


def load_target(
    system: Reference | Path | System, energy: Reference = "openmm", temperature_K: float | None = None
) -> Target:
    """The Boltzmann distribution of a system: ``load_target(system="GF").reduced_energy(x)``.

    Args:
        system: As for :func:`load_system`, or a system that was loaded.
        energy: Name of an energy backend, or a mapping with ``name`` and its options.
        temperature_K: Kelvin; None takes that of the backend's preset.

    Returns:
        A target; x is a tensor [B, N, 3] in nm, atoms in the order of the input. Close it, or use it in a
        ``with`` block: it may hold worker processes.

    Raises:
        UnsupportedSystemError: If the system is not understood.
        UnknownComponentError: If no plugin provides the energy.
        ConfigError: If the temperature is not positive.
        EnergyError: If the backend does not support the system.
    """
    if temperature_K is not None and not temperature_K > 0:
        raise ConfigError(f"temperature_K = {temperature_K} is not positive.", fix="Give kelvin.")
    loaded: System = load_system(system) if isinstance(system, (str, Path, dict)) else system  # type: ignore[assignment]
    backend: EnergyBackend = get_registry().build("energy", energy)
    if temperature_K is None:
        temperature_K = backend.default_temperature_K(loaded)
    return backend.bind(loaded, ThermodynamicState(temperature_K))
