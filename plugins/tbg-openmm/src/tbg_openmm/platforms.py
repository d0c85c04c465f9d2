"""Choice of the OpenMM platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import openmm

from tbg_core.errors import EnergyError

# Up to here one conformation takes the Reference platform less time than handing it to another one does.
# Measured for 22 atoms on one core: amber99sbildn with amber99_obc takes Reference 0.05 ms, which grows with
# N^2, and CPU 0.2 to 0.6 ms; amber14 with implicit/obc1.xml, a CustomGBForce, which Reference interprets,
# takes it 1.3 ms and CPU 0.2 to 0.8 ms.
_REFERENCE_ATOMS: Final = 100
_GPUS: Final = ("CUDA", "HIP", "OpenCL")


@dataclass(frozen=True)
class PlatformChoice:
    """A platform with its settings; picklable.

    Attributes:
        name: OpenMM's name.
        properties: Platform properties.
    """

    name: str
    properties: dict[str, str]

    def context(self, system: openmm.System, integrator: openmm.Integrator) -> openmm.Context:
        """A context on the platform."""
        return openmm.Context(system, integrator, openmm.Platform.getPlatformByName(self.name), self.properties)


def choose_platform(system: openmm.System, name: str, precision: str) -> PlatformChoice:
    """Chooses and tries a platform.

    One thread and a fixed order of summation are asked for, where the platform can, so that results repeat.

    Args:
        system: What it has to evaluate.
        name: OpenMM's name of it, or ``"auto"``.
        precision: Arithmetic of the GPU platforms.

    Raises:
        EnergyError: If the platform does not exist here or does not work.
    """
    available = _available()
    if name != "auto":
        if name not in available:
            raise EnergyError(
                f"OpenMM has no platform {name} here; it has {', '.join(available)}.",
                fix="Choose one of these, or platform: auto.",
            )
        choice = _choice(name, precision)
        error = _failure(system, choice)
        if error:
            raise EnergyError(f"OpenMM's platform {name} does not work here: {error}.", fix="Use platform: auto.")
        return choice
    interpreted = any(isinstance(force, openmm.CustomGBForce) for force in system.getForces())
    if system.getNumParticles() <= _REFERENCE_ATOMS and not interpreted:
        return _choice("Reference", precision)
    for candidate in (*_GPUS, "CPU"):
        if candidate in available and not _failure(system, _choice(candidate, precision)):
            return _choice(candidate, precision)
    return _choice("Reference", precision)


def _available() -> list[str]:
    return [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]


def _choice(name: str, precision: str) -> PlatformChoice:
    wanted = {"Threads": "1", "DeterministicForces": "true", "Precision": precision}
    known = openmm.Platform.getPlatformByName(name).getPropertyNames()
    return PlatformChoice(name, {key: value for key, value in wanted.items() if key in known})


def _failure(system: openmm.System, choice: PlatformChoice) -> str:
    """Why a context cannot be made; empty if it can."""
    try:
        choice.context(system, openmm.VerletIntegrator(0.001))
    except openmm.OpenMMException as error:
        return str(error)
    return ""
