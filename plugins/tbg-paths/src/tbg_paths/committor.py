"""Committors by trajectories: the probability to reach B before A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tbg_core.randomness import SampleKeys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from tbg_paths.state import PathSpace

HALF: Final = (0.35, 0.65)
"""Estimated committors that count as one half."""


@dataclass(frozen=True)
class Committor:
    """Outcomes of trajectories from n states.

    Attributes:
        reached_end: Trajectories that reached B first [n].
        reached_start: Trajectories that reached A first [n].
        energies: Energies that they took.
    """

    reached_end: np.ndarray
    reached_start: np.ndarray
    energies: int

    def arrays(self) -> dict[str, np.ndarray]:
        """For storage."""
        return {
            "reached_end": self.reached_end,
            "reached_start": self.reached_start,
            "energies": np.array([self.energies]),
        }

    @classmethod
    def joined(cls, parts: Sequence[Mapping[str, np.ndarray]]) -> Committor:
        """From several :meth:`arrays`."""
        end, start = (np.concatenate([part[key] for part in parts]) for key in ("reached_end", "reached_start"))
        return cls(end, start, int(sum(part["energies"][0] for part in parts)))

    @property
    def value(self) -> np.ndarray:
        """Estimates [n]; nan where no trajectory arrived."""
        decided = self.reached_end + self.reached_start
        return np.where(decided > 0, self.reached_end / np.maximum(decided, 1), np.nan)

    @property
    def at_half(self) -> np.ndarray:
        """States of the transition region [n]."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.value >= HALF[0]) & (self.value <= HALF[1]))


def committors(space: PathSpace, x: Tensor, *, shots: int, longest: int, seed: int, stream: str = "0") -> Committor:
    """Follows ``shots`` trajectories from each state, with fresh velocities, until they reach A or B.

    Args:
        space: The dynamics, A and B.
        x: States [n, *event].
        shots: Trajectories from each.
        longest: Steps after which a trajectory is given up; it then counts for neither.
        seed: The user's seed.
        stream: Name of these states, for their random numbers.
    """
    before, start_at = None, space.target.evaluations
    now = x.repeat_interleave(shots, dim=0)
    keys = SampleKeys.range(seed, f"{space.target.system.key}/paths/committor/{stream}", 0, len(now))
    generators = keys.generators()
    outcome = np.zeros(len(now), dtype=int)
    alive = np.arange(len(now))
    for _ in range(longest):
        inside = np.where(space.end.contains(now.numpy()), 1, np.where(space.start.contains(now.numpy()), -1, 0))
        outcome[alive] = inside
        going = inside == 0
        alive, now = alive[going], now[torch.from_numpy(going)]
        if before is not None:
            before = before[torch.from_numpy(going)]
        if not len(alive):
            break
        normal = torch.from_numpy(np.stack([generators[i].standard_normal(x.shape[1:]) for i in alive]))
        now, before = space.dynamics.forward(now, before, space.energies(now)[1], normal), now
    shaped = outcome.reshape(len(x), shots)
    used = space.target.evaluations - start_at
    return Committor((shaped == 1).sum(axis=1), (shaped == -1).sum(axis=1), used)
