"""Langevin dynamics with temperature replica exchange, in blocks that are functions of their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import openmm

from tbg_core.contracts.dynamics import Block, Dynamics, State, Walker
from tbg_core.errors import ConfigError, EnergyError, NumericalError
from tbg_core.randomness import generator
from tbg_core.units import thermal_energy
from tbg_openmm import quantities
from tbg_openmm.replicas import Replicas, automatic_ladder
from tbg_openmm.target import OpenMMTarget

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_openmm.config import OpenMMDynamicsConfig

_FS_PER_PS: Final = 1000.0
_HEATING_STAGES: Final = 10
_LARGEST_SEED: Final = 2**31 - 1


class OpenMMDynamics(Dynamics):
    """Simulates the targets of the OpenMM energy.

    Args:
        config: Time step, intervals, ladder of temperatures.
    """

    def __init__(self, config: OpenMMDynamicsConfig) -> None:
        self.config = config
        self.frame_interval_ps = config.frame_interval_ps

    def bind(self, target: Target) -> OpenMMWalker:
        """Prepares to simulate ``target``.

        Raises:
            EnergyError: If it is not a target of the OpenMM energy.
            ConfigError: If the ladder does not start at the target's temperature.
        """
        if not isinstance(target, OpenMMTarget):
            raise EnergyError(
                f"OpenMM dynamics cannot integrate a {type(target).__name__} of {target.system.name}.",
                fix="Choose --energy openmm, or the dynamics that belong to the energy.",
            )
        return OpenMMWalker(target, self.config)


class OpenMMWalker(Walker):
    """One independent simulation: Langevin-middle dynamics, with exchanges along a ladder of temperatures.

    One context serves all temperatures in turn. It is made anew for every block, seeded by (system, seed,
    walker, block), so that no state is hidden in it. Walkers of one process must not run in parallel threads:
    the Reference platform has one random stream per process.

    Attributes:
        target: What is simulated.
        temperatures_K: The ladder; its first rung is the target's temperature.
    """

    def __init__(self, target: OpenMMTarget, config: OpenMMDynamicsConfig) -> None:
        self.target = target
        self.temperatures_K = _ladder(config, target)
        self._config = config
        self._friction = config.friction_per_ps or target.friction_per_ps or 1.0
        exchanging = len(self.temperatures_K) > 1
        interval = config.exchange_interval_ps if exchanging else config.frame_interval_ps
        self._segment_steps = self._steps(interval)
        self._segments_per_frame = round(config.frame_interval_ps / interval)
        self._masses = quantities.masses(target.openmm_system)

    def start(self, seed: int, walker: int) -> State:
        """Minimises the reference conformation, heats it at every temperature, and equilibrates."""
        random = self._generator(seed, walker, "start")
        context = self._context(random)
        positions = self._minimised(context)
        rungs, shape = len(self.temperatures_K), positions.shape
        coldest = np.array(self.temperatures_K) / _HEATING_STAGES
        spread = np.sqrt(thermal_energy(1.0) * coldest[:, None, None] / self._masses[:, None])
        velocities = spread * random.standard_normal((rungs, *shape))
        replicas = Replicas.start(self.temperatures_K, positions, velocities)
        heating = self._steps(self._config.heating_ps) // _HEATING_STAGES
        for stage in range(1, _HEATING_STAGES + 1 if heating else 0):
            self._segment(context, replicas, heating, "heating", stage / _HEATING_STAGES)
        for _ in range(self._steps(self._config.equilibration_ps) // self._segment_steps):
            self._segment(context, replicas, self._segment_steps, "equilibration")
            replicas.exchange(random)
        return replicas.to_state()

    def advance(self, state: State, frames: int, seed: int, walker: int, block: int) -> Block:
        """Simulates a block; only frames at the target's temperature are stored.

        Its statistics are ``exchange_attempts`` and ``exchange_accepts`` per pair of neighbours
        [T-1], ``kinetic_temperature_K`` [T], ``round_trips`` of every replica since the start [T], and
        ``replica``, the label of the replica that each frame is of [n].

        Raises:
            NumericalError: If the integration blows up.
            ConfigError: If the state is that of another ladder.
        """
        self._check_state(state)
        replicas = Replicas.from_state(state)
        random = self._generator(seed, walker, block)
        context = self._context(random)
        rungs = len(self.temperatures_K)
        attempts, accepts = np.zeros((2, rungs - 1))
        kinetic = np.zeros(rungs)
        positions = np.empty((frames, *replicas.positions.shape[1:]), dtype=np.float32)
        energies, labels = np.empty(frames), np.empty(frames)
        for frame in range(frames):
            for _ in range(self._segments_per_frame):
                self._segment(context, replicas, self._segment_steps, f"block {block} of walker {walker}")
                kinetic += self._kinetic_temperatures(replicas)
                tried, accepted = replicas.exchange(random)
                attempts += tried
                accepts += accepted
            positions[frame] = replicas.positions[0] - replicas.positions[0].mean(axis=0)
            energies[frame] = self._energy(context, positions[frame])
            labels[frame] = replicas.replica[0]
        return Block(
            positions=positions,
            reduced_energy=energies / self.target.state.kT,
            statistics={
                "exchange_attempts": attempts,
                "exchange_accepts": accepts,
                "kinetic_temperature_K": kinetic / max(1, frames * self._segments_per_frame),
                "round_trips": replicas.round_trips.copy(),
                "replica": labels,
            },
            state=replicas.to_state(),
        )

    def _steps(self, time_ps: float) -> int:
        return round(time_ps * _FS_PER_PS / self._config.timestep_fs)

    def _generator(self, seed: int, walker: int, block: int | str) -> np.random.Generator:
        return generator(seed, self.target.molecule.key, "dynamics", walker, block)

    def _context(self, random: np.random.Generator) -> openmm.Context:
        integrator = openmm.LangevinMiddleIntegrator(
            self.target.state.temperature_K, self._friction, self._config.timestep_fs / _FS_PER_PS
        )
        # Zero would let OpenMM choose a seed of its own.
        integrator.setRandomNumberSeed(int(random.integers(1, _LARGEST_SEED)))
        return self.target.platform.context(self.target.openmm_system, integrator)

    def _minimised(self, context: openmm.Context) -> np.ndarray:
        reference = self.target.molecule.reference
        if reference is None:
            raise EnergyError(
                f"{self.target.molecule.name} has no conformation to start from.",
                fix="Give the molecule as a PDB file.",
            )
        context.setPositions(reference)
        openmm.LocalEnergyMinimizer.minimize(context)
        positions = quantities.positions(context.getState(getPositions=True))
        return np.asarray(positions - positions.mean(axis=0))

    def _segment(
        self, context: openmm.Context, replicas: Replicas, steps: int, where: str, warmth: float = 1.0
    ) -> None:
        """Moves every rung by ``steps``, at ``warmth`` times its temperature."""
        replicas.energies = np.empty(len(self.temperatures_K))
        integrator = context.getIntegrator()
        for rung, temperature in enumerate(self.temperatures_K):
            integrator.setTemperature(temperature * warmth)
            context.setPositions(replicas.positions[rung])
            context.setVelocities(replicas.velocities[rung])
            try:
                integrator.step(steps)
                state = context.getState(getPositions=True, getVelocities=True, getEnergy=True)
            except openmm.OpenMMException as error:
                raise self._blown_up(where, temperature, str(error)) from error
            replicas.positions[rung] = quantities.positions(state)
            replicas.velocities[rung] = quantities.velocities(state)
            replicas.energies[rung] = quantities.potential_energy(state)
            if not (np.isfinite(replicas.energies[rung]) and np.isfinite(replicas.positions[rung]).all()):
                raise self._blown_up(where, temperature, "positions are not finite")

    def _blown_up(self, where: str, temperature: float, why: str) -> NumericalError:
        return NumericalError(
            f"The dynamics of {self.target.molecule.name} blew up in {where} at {temperature:g} K ({why}).",
            fix=f"Reduce dynamics.timestep_fs, which is {self._config.timestep_fs:g}.",
        )

    def _kinetic_temperatures(self, replicas: Replicas) -> np.ndarray:
        twice_kinetic = (self._masses[:, None] * replicas.velocities**2).sum(axis=(1, 2))
        return np.asarray(twice_kinetic) / (3 * len(self._masses) * thermal_energy(1.0))

    def _energy(self, context: openmm.Context, frame: np.ndarray) -> float:
        """Potential energy of the frame as it is stored, in single precision, kJ/mol."""
        context.setPositions(frame.astype(np.float64))
        return quantities.potential_energy(context.getState(getEnergy=True))

    def _check_state(self, state: State) -> None:
        stored = state["temperatures_K"].tolist()
        if stored != list(self.temperatures_K):
            raise ConfigError(
                f"The simulation was started with temperatures {stored} K, not {list(self.temperatures_K)} K.",
                fix="Resume it with its own settings, or start a new one.",
            )


def _ladder(config: OpenMMDynamicsConfig, target: OpenMMTarget) -> tuple[float, ...]:
    temperature = target.state.temperature_K
    if config.temperatures_K == "auto":
        return automatic_ladder(temperature, target.molecule.n_atoms)
    ladder = config.temperatures_K or (temperature,)
    if abs(ladder[0] - temperature) > 1e-6 * temperature:
        raise ConfigError(
            f"The first of dynamics.temperatures_K is {ladder[0]:g} K, the target is at {temperature:g} K.",
            fix=f"Start the ladder at {temperature:g}, or leave temperatures_K out.",
        )
    return (temperature, *ladder[1:])
