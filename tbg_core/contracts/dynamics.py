"""Contract of dynamics: simulations that make training and reference data in resumable blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import Self, override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from tbg_core.contracts.energy import Target

State = dict[str, np.ndarray]
"""Everything that walkers need to go on: named arrays [W, ...], float64, one row per walker, and nothing else."""


@dataclass(frozen=True)
class Block:
    """What one block of W walkers produced.

    Attributes:
        positions: Frames at the target's temperature [W, n, *event], nm, float32, in time order.
        reduced_energy: u of each frame [W, n], float64.
        statistics: Named diagnostics of the block, e.g. exchange counts ([W, ...], float64).
        state: The state of the walkers after the block.
    """

    positions: np.ndarray
    reduced_energy: np.ndarray
    statistics: dict[str, np.ndarray]
    state: State


class Simulation(ABC):
    """Walkers bound to a target; a context manager, for it may hold a process or device.

    A walker is one independent simulation. What it does is a function of the seed and of its number: not of the
    walkers that are moved beside it, nor of whether the process died in between.
    """

    @abstractmethod
    def start(self, seed: int, walkers: Sequence[int]) -> State:
        """Initial state: minimised, thermalised, different for each of the ``walkers``."""

    @abstractmethod
    def advance(self, state: State, frames: int, seed: int, walkers: Sequence[int], block: int) -> Block:
        """Simulates until ``frames`` more frames of each walker are stored.

        The result is a function of the arguments alone, so that a block that was lost can be made again; the rows of
        a walker depend on its own rows of ``state`` alone. ``state`` is not changed.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Releases what the simulation holds; calling it twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class OneByOne(Simulation):
    """Moves walkers one after the other, for engines that keep something per process while they move one.

    Args:
        simulation: Is asked for one walker at a time.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    @override
    def start(self, seed: int, walkers: Sequence[int]) -> State:
        return _joined([self.simulation.start(seed, [walker]) for walker in walkers])

    @override
    def advance(self, state: State, frames: int, seed: int, walkers: Sequence[int], block: int) -> Block:
        blocks = []
        for i, walker in enumerate(walkers):
            own = {name: rows[i : i + 1] for name, rows in state.items()}
            blocks.append(self.simulation.advance(own, frames, seed, [walker], block))
        return Block(
            np.concatenate([b.positions for b in blocks]),
            np.concatenate([b.reduced_energy for b in blocks]),
            _joined([b.statistics for b in blocks]),
            _joined([b.state for b in blocks]),
        )

    @override
    def close(self) -> None:
        self.simulation.close()


class Dynamics(ABC):
    """A component that simulates targets it understands.

    Attributes:
        frame_interval_ps: Time between stored frames.
        walkers_together: Walkers that it moves at a time, where there are so many. They are stored together.
    """

    frame_interval_ps: float
    walkers_together: int = 1

    @abstractmethod
    def bind(self, target: Target) -> Simulation:
        """Prepares to simulate ``target``.

        Raises:
            EnergyError: If the target is not one that this engine can integrate.
        """


def _joined(rows: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
