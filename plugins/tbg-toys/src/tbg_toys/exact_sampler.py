"""Independent exact samples in the place of a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.dynamics import Block, Dynamics, Simulation, State
from tbg_core.errors import EnergyError
from tbg_core.randomness import generator
from tbg_toys.target import ToyTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.energy import Target
    from tbg_toys.config import ExactSamplerConfig


class ExactSimulation(Simulation):
    """Draws every block anew from the exact distribution."""

    def __init__(self, target: ToyTarget) -> None:
        self.target = target

    @override
    def start(self, seed: int, walkers: Sequence[int]) -> State:
        """One sample of each walker: ``position`` [W, d]."""
        return {"position": np.concatenate([self._draw(1, seed, walker, "start") for walker in walkers])}

    @override
    def advance(self, state: State, frames: int, seed: int, walkers: Sequence[int], block: int) -> Block:
        """Draws ``frames`` samples; the state passes from hand to hand but decides nothing."""
        positions = np.stack([self._draw(frames, seed, walker, block) for walker in walkers]).astype(np.float32)
        # The energy belongs to the coordinates that are stored, after rounding.
        x = torch.from_numpy(positions.astype(np.float64))
        basin = [self.target.basin(rows).numpy() for rows in x]
        return Block(
            positions=positions,
            reduced_energy=torch.stack([self.target.reduced_energy(rows) for rows in x]).numpy(),
            statistics={"basin_counts": np.stack([np.bincount(b, minlength=2) for b in basin]).astype(np.float64)},
            state={"position": x[:, -1].numpy().copy() if frames else state["position"].copy()},
        )

    def _draw(self, count: int, seed: int, walker: int, block: int | str) -> np.ndarray:
        stream = generator(seed, self.target.system.key, "exact-sampler", walker, block)
        return self.target.draw(stream, count)


class ExactSampler(Dynamics):
    """Makes data sets of toys without correlation: the energies of this plugin know how to draw samples."""

    def __init__(self, config: ExactSamplerConfig) -> None:
        self.frame_interval_ps = config.frame_interval_ps

    @override
    def bind(self, target: Target) -> ExactSimulation:
        if not isinstance(target, ToyTarget):
            raise EnergyError(
                f"Dynamics exact-sampler cannot sample {target.system.name}: only toys can be drawn exactly.",
                fix="Use a dynamics that simulates, e.g. openmm.",
            )
        return ExactSimulation(target)
