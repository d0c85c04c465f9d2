"""Langevin dynamics of a point in R^d: what active learning is compared with on toys."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.optimize import minimize
from typing_extensions import override

from tbg_core.contracts.dynamics import Block, Dynamics, Simulation, State
from tbg_core.contracts.system import Euclidean
from tbg_core.errors import EnergyError, NumericalError
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_coarse.config import VectorLangevinConfig
    from tbg_core.contracts.energy import Target

_FS_PER_PS: Final = 1000.0


class VectorLangevin(Dynamics):
    """Simulates any target on R^d.

    Args:
        config: Time step, friction, intervals.
    """

    def __init__(self, config: VectorLangevinConfig) -> None:
        self.config = config
        self.frame_interval_ps = config.frame_interval_ps
        self.walkers_together = config.walkers_together

    @override
    def bind(self, target: Target) -> VectorSimulation:
        if not isinstance(target.system.space, Euclidean):
            raise EnergyError(
                f"vector-langevin moves points in R^d, not {target.system.name}.", fix="Use --dynamics langevin."
            )
        return VectorSimulation(target, target.system.space.size, self.config)


class VectorSimulation(Simulation):
    """Walkers of unit mass by the Langevin-middle scheme (Zhang et al. 2019), one gradient a step.

    Args:
        target: What is simulated.
        dim: Its dimension.
        config: The options.
    """

    def __init__(self, target: Target, dim: int, config: VectorLangevinConfig) -> None:
        self.target, self.dim, self.config = target, dim, config
        self._step_ps = config.timestep_fs / _FS_PER_PS
        self._steps_per_frame = max(1, round(config.frame_interval_ps / self._step_ps))

    @override
    def start(self, seed: int, walkers: Sequence[int]) -> State:
        """All at the minimum next to the origin, with velocities at the temperature."""
        found = minimize(self._value_and_slope, np.zeros(self.dim), jac=True, method="L-BFGS-B")
        velocities = [self._random(seed, walker, "start").standard_normal(self.dim) for walker in walkers]
        return {
            "positions": np.repeat(found.x[None], len(walkers), axis=0),
            "velocities": math.sqrt(self.target.state.kT) * np.stack(velocities),
        }

    @override
    def advance(self, state: State, frames: int, seed: int, walkers: Sequence[int], block: int) -> Block:
        x, v = state["positions"].copy(), state["velocities"].copy()
        kT, h = self.target.state.kT, self._step_ps
        keep = math.exp(-self.config.friction_per_ps * h)
        kick = math.sqrt(kT * (1.0 - keep**2))
        steps = frames * self._steps_per_frame
        noise = np.stack([self._random(seed, w, block).standard_normal((steps, self.dim)) for w in walkers], axis=1)
        positions = np.empty((len(walkers), frames, self.dim), dtype=np.float32)
        for step in range(steps):
            v += h * self._acceleration(x)
            x += 0.5 * h * v
            v = keep * v + kick * noise[step]
            x += 0.5 * h * v
            if (step + 1) % self._steps_per_frame == 0:
                positions[:, step // self._steps_per_frame] = x
        flat = torch.from_numpy(positions.reshape(-1, self.dim)).double()
        # The energies of stored frames are for the reader: the dynamics has paid for its steps already.
        paid = self.target.evaluations
        u = self.target.reduced_energy(flat).numpy().reshape(len(walkers), frames)
        self.target.evaluations = paid
        return Block(positions, u, {}, {"positions": x, "velocities": v})

    def _acceleration(self, x: np.ndarray) -> np.ndarray:
        slope = self.target.energy_and_grad(torch.from_numpy(x))[1].numpy()
        if not np.isfinite(slope).all():
            raise NumericalError("the dynamics reached a point without a gradient.", fix="Reduce dynamics.timestep_fs.")
        return np.asarray(-self.target.state.kT * slope)

    def _value_and_slope(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        u, slope = self.target.energy_and_grad(torch.from_numpy(x[None]))
        return float(u[0]), slope[0].numpy()

    def _random(self, seed: int, walker: int, part: int | str) -> np.random.Generator:
        return generator(seed, self.target.system.key, "vector-langevin", walker, part)
