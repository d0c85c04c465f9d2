"""What a move of the Markov chains over paths is: it proposes trials and says how likely they are beside the paths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_paths.state import Paths, PathSpace, Trial


class Step(NamedTuple):
    """How far a move goes; settled in the burn-in.

    Attributes:
        size: Size of the step, of the move and the scale.
        speed: Root-mean-square change of every latent coordinate from one frame to the next [...].
    """

    size: float
    speed: Tensor


class Move(ABC):
    """An elementary move of all chains at once.

    Attributes:
        name: As in :data:`tbg_paths.config.MOVES`.
        scales: Variants among which one is drawn each time, e.g. lengths in frames; each has its own step size.
        first_step: Step size to begin with; 0 for moves that have none.
        latent: Whether it uses the latent space.
        weight: How often it is tried beside the others of a set.
    """

    name: ClassVar[str]
    scales: tuple[float, ...] = (0.0,)
    first_step: ClassVar[float] = 0.0
    latent: ClassVar[bool] = False
    weight: ClassVar[float] = 1.0

    @property
    def shares(self) -> np.ndarray:
        """Probability of each scale."""
        return np.full(len(self.scales), 1.0 / len(self.scales))

    @abstractmethod
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: Step, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        """The current paths, with latent states that had to be computed, and the trial.

        Args:
            space: What paths are about.
            paths: The current ones.
            scale: Index into ``scales``.
            step: How far to go.
            generators: One per chain; row i depends on generator i alone.
        """


def halves(frames: int) -> tuple[float, ...]:
    """A half, a quarter, ... of a number of frames, down to one."""
    return tuple(float(frames // 2**i) for i in range(1, frames.bit_length()))
