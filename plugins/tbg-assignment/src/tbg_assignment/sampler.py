"""Independent exact samples of labellings, as states of the extended target, in the place of a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from typing_extensions import override

from tbg_assignment.target import LabelTarget
from tbg_core.contracts.dynamics import Block, Dynamics, Simulation, State
from tbg_core.errors import EnergyError
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_assignment.config import LabelSamplerConfig
    from tbg_assignment.distributions import LabelDistribution
    from tbg_core.contracts.energy import Target


class LabelSimulation(Simulation):
    """Draws every block anew: a labelling, then a state in its cone."""

    def __init__(self, target: LabelTarget, distribution: LabelDistribution) -> None:
        self.target, self.distribution = target, distribution

    @override
    def start(self, seed: int, walkers: Sequence[int]) -> State:
        """One state of each walker: ``position`` [W, n, c]."""
        return {"position": np.concatenate([self._draw(1, seed, walker, "start") for walker in walkers])}

    @override
    def advance(self, state: State, frames: int, seed: int, walkers: Sequence[int], block: int) -> Block:
        """Draws ``frames`` states; the state passes from hand to hand but decides nothing."""
        positions = np.stack([self._draw(frames, seed, walker, block) for walker in walkers]).astype(np.float32)
        # The energy belongs to the coordinates that are stored, after rounding.
        x = torch.from_numpy(positions.astype(np.float64))
        energy = torch.stack([self.target.reduced_energy(rows) for rows in x]).numpy()
        last = x[:, -1].numpy().copy() if frames else state["position"].copy()
        return Block(positions=positions, reduced_energy=energy, statistics={}, state={"position": last})

    def _draw(self, count: int, seed: int, walker: int, block: int | str) -> np.ndarray:
        rng = generator(seed, self.target.system.key, "label-sampler", walker, block)
        return self.target.embedding.draw(self.distribution.draw(rng, count), rng)


class LabelSampler(Dynamics):
    """Makes data sets of labellings without correlation, where all of them can be enumerated.

    Args:
        config: The nominal interval.
    """

    def __init__(self, config: LabelSamplerConfig) -> None:
        self.frame_interval_ps = config.frame_interval_ps

    @override
    def bind(self, target: Target) -> LabelSimulation:
        distribution = target.distribution if isinstance(target, LabelTarget) else None
        if not isinstance(target, LabelTarget) or distribution is None:
            raise EnergyError(
                f"Dynamics label-sampler cannot sample {target.system.name}: it has too many labellings, or none.",
                fix="Use fewer variables or classes.",
            )
        return LabelSimulation(target, distribution)
