"""Langevin dynamics with temperature replica exchange, in blocks that are functions of their arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.dynamics import Block, Simulation, State
from tbg_core.errors import ConfigError, NumericalError
from tbg_core.randomness import generator
from tbg_core.units import thermal_energy
from tbg_openmm.minimising import minimised
from tbg_openmm.replicas import Replicas, automatic_ladder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_openmm.config import LangevinConfig
    from tbg_openmm.target import OpenMMTarget

_FS_PER_PS: Final = 1000.0
_HEATING_STAGES: Final = 10


class Mover(ABC):
    """Moves replicas by Langevin-middle steps.

    v' = v + dt f(x)/m; x' = x + dt v'/2; v'' = c v' + sqrt((1 - c^2) kT/m) R; x'' = x' + dt v''/2, with
    c = exp(-friction dt): the discretisation of Zhang et al., J. Phys. Chem. A 123, 6056 (2019), as in OpenMM.
    """

    @abstractmethod
    def begin(self, seed: int, walkers: Sequence[int], part: int | str) -> None:
        """Prepares for a part of the trajectory of some walkers, with noise that is a function of the arguments."""

    @abstractmethod
    def move(self, replicas: Replicas, steps: int, temperatures_K: np.ndarray, friction_per_ps: float) -> None:
        """Moves every rung by ``steps`` at ``temperatures_K`` [T]; a replica that blows up gets energy nan.

        Changes positions, velocities, energies and the count of steps.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Releases what it holds."""


class Tempering(Simulation):
    """Walkers of one molecule, each a ladder of replicas that exchange temperatures.

    Without further temperatures a walker is one Langevin trajectory. Frames are taken from the lowest rung.

    Args:
        target: What is simulated.
        config: Time step, intervals, ladder.
        mover: What integrates.
    """

    def __init__(self, target: OpenMMTarget, config: LangevinConfig, mover: Mover, masses: np.ndarray) -> None:
        self.target = target
        self.temperatures_K = np.array(_ladder(config, target))
        self._config = config
        self._mover = mover
        self._masses = masses
        self._friction = config.friction_per_ps or target.friction_per_ps or 1.0
        exchanging = len(self.temperatures_K) > 1
        interval = config.exchange_interval_ps if exchanging else config.frame_interval_ps
        self._segment_steps = self._steps(interval)
        self._segments_per_frame = round(config.frame_interval_ps / interval)

    @override
    def start(self, seed: int, walkers: Sequence[int]) -> State:
        """Minimises the reference, heats it, scrambles it where asked for, and equilibrates at every temperature."""
        config, ladder = self._config, self.temperatures_K
        randoms = self._generators(seed, walkers, "start")
        self._mover.begin(seed, walkers, "start")
        positions = minimised(self.target)
        scrambling = config.scramble_ps > 0
        hot = np.full(len(ladder), config.scramble_temperature_K) if scrambling else ladder
        friction = config.scramble_friction_per_ps if scrambling else self._friction
        spread = self._spread(hot / _HEATING_STAGES)
        velocities = np.stack([spread * random.standard_normal((len(ladder), *positions.shape)) for random in randoms])
        replicas = Replicas.start(ladder, positions, velocities)
        heating = self._steps(config.heating_ps) // _HEATING_STAGES
        for stage in range(1, _HEATING_STAGES + 1 if heating else 0):
            self._segment(replicas, heating, "heating", hot * stage / _HEATING_STAGES, friction)
        if scrambling:
            self._segment(replicas, self._steps(config.scramble_ps), "scrambling", hot, friction)
            replicas.velocities *= np.sqrt(ladder / hot)[:, None, None]
        for _ in range(self._steps(config.equilibration_ps) // self._segment_steps):
            self._segment(replicas, self._segment_steps, "equilibration", ladder, self._friction)
            replicas.exchange(randoms)
        return replicas.to_state()

    @override
    def advance(self, state: State, frames: int, seed: int, walkers: Sequence[int], block: int) -> Block:
        """Simulates a block; only frames at the target's temperature are stored.

        Its statistics are ``exchange_attempts`` and ``exchange_accepts`` per pair of neighbours
        [W, T-1], ``kinetic_temperature_K`` [W, T], ``round_trips`` of every replica since the start [W, T],
        ``replica``, the label of the replica that each frame is of [W, n], and ``rung_energies``, the potential
        energies of all rungs when a frame is stored [W, n, T], kJ/mol.

        Raises:
            NumericalError: If the integration blows up.
            ConfigError: If the state is that of another ladder.
        """
        self._check_state(state)
        replicas = Replicas.from_state(state)
        randoms = self._generators(seed, walkers, block)
        self._mover.begin(seed, walkers, block)
        many, rungs = len(walkers), len(self.temperatures_K)
        attempts, accepts = np.zeros((2, many, rungs - 1))
        kinetic = np.zeros((many, rungs))
        positions = np.empty((many, frames, *replicas.positions.shape[2:]), dtype=np.float32)
        energies, labels = np.empty((many, frames, rungs)), np.empty((many, frames))
        for frame in range(frames):
            for _ in range(self._segments_per_frame):
                self._segment(replicas, self._segment_steps, f"block {block}", self.temperatures_K, self._friction)
                kinetic += self._kinetic_temperatures(replicas)
                tried, accepted = replicas.exchange(randoms)
                attempts += tried
                accepts += accepted
            lowest = replicas.positions[:, 0]
            positions[:, frame] = lowest - lowest.mean(axis=1, keepdims=True)
            energies[:, frame], labels[:, frame] = replicas.energies, replicas.replica[:, 0]
        # Walker by walker, so that batches are the same whoever is moved beside it.
        u = [self.target.reduced_energy(torch.from_numpy(rows).double()).numpy() for rows in positions]
        return Block(
            positions=positions,
            reduced_energy=np.stack(u),
            statistics={
                "exchange_attempts": attempts,
                "exchange_accepts": accepts,
                "kinetic_temperature_K": kinetic / max(1, frames * self._segments_per_frame),
                "round_trips": replicas.round_trips.copy(),
                "replica": labels,
                "rung_energies": energies,
            },
            state=replicas.to_state(),
        )

    @override
    def close(self) -> None:
        self._mover.close()

    def _steps(self, time_ps: float) -> int:
        return round(time_ps * _FS_PER_PS / self._config.timestep_fs)

    def _generators(self, seed: int, walkers: Sequence[int], part: int | str) -> list[np.random.Generator]:
        key = self.target.molecule.key
        return [generator(seed, key, "dynamics", walker, part) for walker in walkers]

    def _spread(self, temperatures_K: np.ndarray) -> np.ndarray:
        """Standard deviation of velocities [T, N, 1], nm/ps."""
        return np.asarray(np.sqrt(thermal_energy(1.0) * temperatures_K[:, None, None] / self._masses[:, None]))

    def _segment(
        self, replicas: Replicas, steps: int, where: str, temperatures_K: np.ndarray, friction_per_ps: float
    ) -> None:
        self._mover.move(replicas, steps, temperatures_K, friction_per_ps)
        sound = np.isfinite(replicas.energies) & np.isfinite(replicas.positions).all(axis=(2, 3))
        if not sound.all():
            temperature = temperatures_K[np.argwhere(~sound)[0, 1]]
            raise NumericalError(
                f"The dynamics of {self.target.molecule.name} blew up in {where} at {temperature:g} K.",
                fix=f"Reduce dynamics.timestep_fs, which is {self._config.timestep_fs:g}.",
            )

    def _kinetic_temperatures(self, replicas: Replicas) -> np.ndarray:
        twice_kinetic = (self._masses[:, None] * replicas.velocities**2).sum(axis=(2, 3))
        return np.asarray(twice_kinetic) / (3 * len(self._masses) * thermal_energy(1.0))

    def _check_state(self, state: State) -> None:
        stored = state["temperatures_K"][0]
        if not np.array_equal(stored, self.temperatures_K):
            raise ConfigError(
                f"The simulation was started with temperatures {stored.tolist()} K, "
                f"not {self.temperatures_K.tolist()} K.",
                fix="Resume it with its own settings, or start a new one.",
            )


def _ladder(config: LangevinConfig, target: OpenMMTarget) -> tuple[float, ...]:
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
