"""Molecular dynamics on the batched engine: every walker and every temperature is a row of one batch."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tbg_core.contracts.dynamics import Dynamics, Simulation
from tbg_openmm import quantities
from tbg_openmm.dynamics import openmm_simulation, require_openmm
from tbg_openmm.engine import Engine, Unreadable, compile_system
from tbg_openmm.minimising import repartitioned
from tbg_openmm.tempering import Mover, Tempering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.energy import Target
    from tbg_openmm.config import EngineDynamicsConfig
    from tbg_openmm.replicas import Replicas

_FS_PER_PS: Final = 1000.0
_log = logging.getLogger(__name__)


class EngineDynamics(Dynamics):
    """Simulates the targets of the OpenMM energy on the batched engine.

    A System that the engine cannot read exactly is simulated by OpenMM, and the reason is logged.

    Args:
        config: Time step, intervals, ladder of temperatures, walkers moved together.
    """

    def __init__(self, config: EngineDynamicsConfig) -> None:
        self.config = config
        self.frame_interval_ps = config.frame_interval_ps
        self.walkers_together = config.walkers_together

    def bind(self, target: Target) -> Simulation:
        """Prepares to simulate ``target``.

        Raises:
            EnergyError: If it is not a target of the OpenMM energy.
            ConfigError: If the ladder does not start at the target's temperature.
        """
        bound = require_openmm(target)
        try:
            parameters = compile_system(bound.openmm_system)
        except Unreadable as reason:
            _log.warning("%s is simulated by OpenMM, not by the batched engine: %s.", bound.molecule.name, reason)
            return openmm_simulation(bound, self.config)
        masses = repartitioned(bound.molecule, quantities.masses(bound.openmm_system), self.config.hydrogen_mass_amu)
        engine = Engine(replace(parameters, masses=masses))
        mover = EngineMover(engine, bound.molecule.key, self.config.timestep_fs / _FS_PER_PS)
        return Tempering(bound, self.config, mover, masses)


class EngineMover(Mover):
    """Moves all replicas of all walkers in one batch, in single precision.

    The noise of a row is a function of the seed, the molecule, the walker, the rung and the count of steps.

    Args:
        engine: What integrates.
        key: Key of the molecule.
        timestep_ps: Time step.
    """

    def __init__(self, engine: Engine, key: str, timestep_ps: float) -> None:
        self._engine = engine
        self._key = key
        self._timestep_ps = timestep_ps
        self._seed = 0
        self._walkers: Sequence[int] = ()

    def begin(self, seed: int, walkers: Sequence[int], part: int | str) -> None:
        """Names the streams of noise; the count of steps, which goes on over parts, keeps parts apart."""
        self._seed, self._walkers = seed, walkers

    def move(self, replicas: Replicas, steps: int, temperatures_K: np.ndarray, friction_per_ps: float) -> None:
        """Moves every row by ``steps``."""
        shape = replicas.positions.shape
        rungs = range(shape[1])
        streams = [_stream(self._key, walker, rung) for walker in self._walkers for rung in rungs]
        # Centred, so that single precision resolves the molecule and not its distance from where it started.
        centred = replicas.positions - replicas.positions.mean(axis=2, keepdims=True)
        x, v, energies = self._engine.langevin(
            torch.from_numpy(centred.reshape(-1, *shape[2:])).float(),
            torch.from_numpy(replicas.velocities.reshape(-1, *shape[2:])).float(),
            torch.from_numpy(np.tile(temperatures_K, shape[0])),
            steps,
            self._timestep_ps,
            friction_per_ps,
            (self._seed, torch.tensor(streams)),
            replicas.steps,
        )
        replicas.positions = x.double().numpy().reshape(shape)
        replicas.velocities = v.double().numpy().reshape(shape)
        replicas.energies = energies.double().numpy().reshape(shape[:2])
        replicas.steps += steps


def _stream(key: str, walker: int, rung: int) -> int:
    """A stream of noise for a replica: 63 bits of a hash."""
    digest = hashlib.sha256(f"{key}/dynamics/{walker}/{rung}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
