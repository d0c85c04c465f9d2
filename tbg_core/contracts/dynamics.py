"""Contract of dynamics: simulations that make training and reference data in resumable blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import Self

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np

    from tbg_core.contracts.energy import Target

State = dict[str, "np.ndarray"]
"""Everything a walker needs to go on: named arrays, float64, and nothing else."""


@dataclass(frozen=True)
class Block:
    """What one block of a walker produced.

    Attributes:
        positions: Frames at the target's temperature [n, *event], nm, float32, in time order.
        reduced_energy: u of each frame [n], float64.
        statistics: Named diagnostics of the block, e.g. exchange counts (any shape, float64).
        state: The walker's state after the block.
    """

    positions: np.ndarray
    reduced_energy: np.ndarray
    statistics: dict[str, np.ndarray]
    state: State


class Walker(ABC):
    """One independent simulation bound to a target; a context manager, for it may hold a process or device."""

    @abstractmethod
    def start(self, seed: int, walker: int) -> State:
        """Initial state: minimised, thermalised, different for each ``walker``."""

    @abstractmethod
    def advance(self, state: State, frames: int, seed: int, walker: int, block: int) -> Block:
        """Simulates until ``frames`` more frames are stored.

        The result is a function of the arguments alone, so that a block that was lost can be made again: the
        same numbers follow whether or not the process died in between.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Releases what the walker holds; calling it twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Dynamics(ABC):
    """A component that simulates targets it understands.

    Attributes:
        frame_interval_ps: Time between stored frames.
    """

    frame_interval_ps: float

    @abstractmethod
    def bind(self, target: Target) -> Walker:
        """Prepares to simulate ``target``.

        Raises:
            EnergyError: If the target is not one that this engine can integrate.
        """
