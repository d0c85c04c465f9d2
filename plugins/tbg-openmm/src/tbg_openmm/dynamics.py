"""OpenMM's own molecular dynamics: one context, walker after walker, rung after rung."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import openmm

from tbg_core.contracts.dynamics import Dynamics, OneByOne, Simulation
from tbg_core.errors import EnergyError
from tbg_core.randomness import generator
from tbg_openmm import quantities
from tbg_openmm.minimising import repartitioned
from tbg_openmm.target import OpenMMTarget
from tbg_openmm.tempering import Mover, Tempering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.energy import Target
    from tbg_openmm.config import LangevinConfig, OpenMMDynamicsConfig
    from tbg_openmm.replicas import Replicas

_FS_PER_PS: Final = 1000.0
_LARGEST_SEED: Final = 2**31 - 1


class OpenMMDynamics(Dynamics):
    """Simulates the targets of the OpenMM energy with OpenMM.

    Args:
        config: Time step, intervals, ladder of temperatures.
    """

    def __init__(self, config: OpenMMDynamicsConfig) -> None:
        self.config = config
        self.frame_interval_ps = config.frame_interval_ps

    def bind(self, target: Target) -> Simulation:
        """Prepares to simulate ``target``.

        Raises:
            EnergyError: If it is not a target of the OpenMM energy.
            ConfigError: If the ladder does not start at the target's temperature.
        """
        return openmm_simulation(require_openmm(target), self.config)


def require_openmm(target: Target) -> OpenMMTarget:
    """The target, if it comes from the OpenMM energy.

    Raises:
        EnergyError: If not.
    """
    if isinstance(target, OpenMMTarget):
        return target
    raise EnergyError(
        f"OpenMM dynamics cannot integrate a {type(target).__name__} of {target.system.name}.",
        fix="Choose --energy openmm, or the dynamics that belong to the energy.",
    )


def openmm_simulation(target: OpenMMTarget, config: LangevinConfig) -> Simulation:
    """Walkers that are moved one after the other: the Reference platform has one random stream per process."""
    masses = repartitioned(target.molecule, quantities.masses(target.openmm_system), config.hydrogen_mass_amu)
    mover = OpenMMMover(target, masses, config.timestep_fs / _FS_PER_PS)
    return OneByOne(Tempering(target, config, mover, masses))


class OpenMMMover(Mover):
    """One context serves all temperatures in turn. It is made anew for every block, so that it hides no state.

    Walkers of one process must not run in parallel threads.

    Args:
        target: What is simulated.
        masses: Mass of each atom [N], amu.
        timestep_ps: Time step.
    """

    def __init__(self, target: OpenMMTarget, masses: np.ndarray, timestep_ps: float) -> None:
        self._target = target
        self._timestep_ps = timestep_ps
        self._system = openmm.XmlSerializer.clone(target.openmm_system)
        for i, mass in enumerate(masses):
            self._system.setParticleMass(i, mass)
        self._context: openmm.Context | None = None

    def begin(self, seed: int, walkers: Sequence[int], part: int | str) -> None:
        """Makes a context whose noise is keyed by (system, seed, walker, part)."""
        (walker,) = walkers
        integrator = openmm.LangevinMiddleIntegrator(self._target.state.temperature_K, 1.0, self._timestep_ps)
        random = generator(seed, self._target.molecule.key, "dynamics/noise", walker, part)
        # Zero would let OpenMM choose a seed of its own.
        integrator.setRandomNumberSeed(int(random.integers(1, _LARGEST_SEED)))
        self._context = self._target.platform.context(self._system, integrator)

    def move(self, replicas: Replicas, steps: int, temperatures_K: np.ndarray, friction_per_ps: float) -> None:
        """Moves rung after rung."""
        context = self._context
        assert context is not None  # noqa: S101 - begin() comes first
        integrator = context.getIntegrator()
        integrator.setFriction(friction_per_ps)
        replicas.energies = np.full(replicas.replica.shape, np.nan)
        replicas.steps += steps
        for rung, temperature in enumerate(temperatures_K):
            integrator.setTemperature(temperature)
            context.setPositions(replicas.positions[0, rung])
            context.setVelocities(replicas.velocities[0, rung])
            try:
                integrator.step(steps)
                state = context.getState(getPositions=True, getVelocities=True, getEnergy=True)
            except openmm.OpenMMException:
                continue
            replicas.positions[0, rung] = quantities.positions(state)
            replicas.velocities[0, rung] = quantities.velocities(state)
            replicas.energies[0, rung] = quantities.potential_energy(state)

    def close(self) -> None:
        """Frees the context."""
        self._context = None
