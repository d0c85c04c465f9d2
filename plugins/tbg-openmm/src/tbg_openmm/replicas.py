"""The ladder of replica temperatures, and exchanges between neighbours on it, for many walkers at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.units import thermal_energy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.dynamics import State

# Alanine dipeptide: five temperatures from 300 to 620 K exchange with probability 0.45. The overlap of
# neighbours keeps if their number grows with the square root of the number of atoms.
_SPAN: Final = 620.0 / 300.0
_INTERVALS: Final = 4
_ATOMS: Final = 22


def automatic_ladder(temperature_K: float, n_atoms: int) -> tuple[float, ...]:
    """A geometric ladder of temperatures (K) from the target's to 2.07 times it."""
    intervals = max(2, round(_INTERVALS * math.sqrt(n_atoms / _ATOMS)))
    return tuple(temperature_K * _SPAN ** (i / intervals) for i in range(intervals + 1))


@dataclass
class Replicas:
    """Coordinates of every rung of the ladder of every walker, and who came from where.

    Attributes:
        temperatures_K: Temperature of each rung [T].
        positions: Coordinates at each rung [W, T, N, 3], nm.
        velocities: Velocities at each rung [W, T, N, 3], nm/ps.
        replica: Label of the replica at each rung [W, T].
        heading: For each replica [W, T]: +1 after the lowest rung, -1 after the highest, 0 before either.
        round_trips: Returns of each replica to the lowest rung after having been at the highest [W, T].
        exchanges: Rounds of exchange so far; even and odd pairs take turns.
        steps: Time steps so far.
        energies: Potential energy at each rung [W, T], kJ/mol.
    """

    temperatures_K: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    replica: np.ndarray
    heading: np.ndarray
    round_trips: np.ndarray
    exchanges: int = 0
    steps: int = 0
    energies: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def start(cls, temperatures_K: Sequence[float], positions: np.ndarray, velocities: np.ndarray) -> Replicas:
        """Replicas that have not moved, all at ``positions`` [N, 3], with ``velocities`` [W, T, N, 3]."""
        shape = velocities.shape[:2]
        replicas = cls(
            temperatures_K=np.array(temperatures_K),
            positions=np.broadcast_to(positions, velocities.shape).copy(),
            velocities=velocities,
            replica=np.broadcast_to(np.arange(shape[1]), shape).copy(),
            heading=np.zeros(shape),
            round_trips=np.zeros(shape),
        )
        replicas._mark_ends()
        return replicas

    @classmethod
    def from_state(cls, state: State) -> Replicas:
        """The replicas that :meth:`to_state` stored; the state is not shared."""
        names = ("positions", "velocities", "replica", "heading", "round_trips")
        copied = {name: np.array(state[name], dtype=np.float64) for name in names}
        copied["replica"] = copied["replica"].astype(np.int64)
        counts = {name: int(state[name][0]) for name in ("exchanges", "steps")}
        return cls(state["temperatures_K"][0].copy(), **copied, **counts)

    def to_state(self) -> State:
        """Everything as float64 arrays, centred: a free molecule diffuses away, which would cost digits."""
        walkers = len(self.positions)
        return {
            "temperatures_K": np.tile(self.temperatures_K, (walkers, 1)),
            "positions": self.positions - self.positions.mean(axis=2, keepdims=True),
            "velocities": self.velocities.copy(),
            "replica": self.replica.astype(np.float64),
            "heading": self.heading.copy(),
            "round_trips": self.round_trips.copy(),
            "exchanges": np.full(walkers, float(self.exchanges)),
            "steps": np.full(walkers, float(self.steps)),
        }

    def exchange(self, generators: Sequence[np.random.Generator]) -> tuple[np.ndarray, np.ndarray]:
        """Tries to swap neighbours, every second pair; velocities are rescaled to the new temperatures.

        Args:
            generators: One per walker, so that a walker's exchanges do not depend on those beside it.

        Returns:
            Attempts and acceptances per pair [W, T-1].

        Source: Sugita & Okamoto, Chem. Phys. Lett. 314, 141 (1999).
        """
        beta = 1.0 / thermal_energy(1.0) / self.temperatures_K
        lows = np.arange(self.exchanges % 2, len(beta) - 1, 2)
        attempts, accepts = np.zeros((2, len(self.positions), len(beta) - 1))
        if len(lows):
            log_ratio = (beta[lows] - beta[lows + 1]) * (self.energies[:, lows] - self.energies[:, lows + 1])
            drawn = np.stack([generator.random(len(lows)) for generator in generators])
            accepted = np.log1p(-drawn) < log_ratio
            attempts[:, lows], accepts[:, lows] = 1.0, accepted
            walker, pair = np.nonzero(accepted)
            self._swap(walker, lows[pair])
        self.exchanges += 1
        self._mark_ends()
        return attempts, accepts

    def _swap(self, walker: np.ndarray, low: np.ndarray) -> None:
        high = low + 1
        for array in (self.positions, self.velocities, self.energies, self.replica):
            array[walker, low], array[walker, high] = array[walker, high], array[walker, low]
        rescale = np.sqrt(self.temperatures_K[low] / self.temperatures_K[high])[:, None, None]
        self.velocities[walker, low] *= rescale
        self.velocities[walker, high] /= rescale

    def _mark_ends(self) -> None:
        walkers = np.arange(len(self.replica))
        bottom, top = self.replica[:, 0], self.replica[:, -1]
        self.round_trips[walkers, bottom] += self.heading[walkers, bottom] < 0
        self.heading[walkers, bottom] = 1.0
        apart = top != bottom
        self.heading[walkers[apart], top[apart]] = -1.0
