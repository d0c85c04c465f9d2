"""The ladder of replica temperatures, and exchanges between neighbours on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.units import thermal_energy

if TYPE_CHECKING:
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
    """Coordinates of every rung of the ladder, and who came from where.

    Attributes:
        temperatures_K: Temperature of each rung [T].
        positions: Coordinates at each rung [T, N, 3], nm.
        velocities: Velocities at each rung [T, N, 3], nm/ps.
        replica: Label of the replica at each rung [T].
        heading: For each replica [T]: +1 after the lowest rung, -1 after the highest, 0 before either.
        round_trips: Returns of each replica to the lowest rung after having been at the highest [T].
        exchanges: Rounds of exchange so far; even and odd pairs take turns.
        energies: Potential energy at each rung [T], kJ/mol.
    """

    temperatures_K: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    replica: np.ndarray
    heading: np.ndarray
    round_trips: np.ndarray
    exchanges: int = 0
    energies: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def start(cls, temperatures_K: tuple[float, ...], positions: np.ndarray, velocities: np.ndarray) -> Replicas:
        """Replicas that have not moved, all at ``positions`` [N, 3]."""
        rungs = len(temperatures_K)
        replicas = cls(
            temperatures_K=np.array(temperatures_K),
            positions=np.repeat(positions[None], rungs, axis=0),
            velocities=velocities,
            replica=np.arange(rungs),
            heading=np.zeros(rungs),
            round_trips=np.zeros(rungs),
        )
        replicas._mark_ends()
        return replicas

    @classmethod
    def from_state(cls, state: State) -> Replicas:
        """The replicas that :meth:`to_state` stored; the state is not shared."""
        copied = {name: np.array(value, dtype=np.float64) for name, value in state.items()}
        copied["replica"] = copied["replica"].astype(np.int64)
        exchanges = int(copied.pop("exchanges")[0])
        return cls(**copied, exchanges=exchanges)

    def to_state(self) -> State:
        """Everything as float64 arrays, centred: a free molecule diffuses away, which would cost digits."""
        return {
            "temperatures_K": self.temperatures_K.copy(),
            "positions": self.positions - self.positions.mean(axis=1, keepdims=True),
            "velocities": self.velocities.copy(),
            "replica": self.replica.astype(np.float64),
            "heading": self.heading.copy(),
            "round_trips": self.round_trips.copy(),
            "exchanges": np.array([self.exchanges], dtype=np.float64),
        }

    def exchange(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Tries to swap neighbours, every second pair; velocities are rescaled to the new temperatures.

        Returns:
            Attempts and acceptances per pair [T-1].

        Source: Sugita & Okamoto, Chem. Phys. Lett. 314, 141 (1999).
        """
        beta = np.array([1.0 / thermal_energy(temperature) for temperature in self.temperatures_K])
        attempts, accepts = np.zeros((2, len(beta) - 1))
        for low in range(self.exchanges % 2, len(beta) - 1, 2):
            high = low + 1
            log_ratio = (beta[low] - beta[high]) * (self.energies[low] - self.energies[high])
            attempts[low] += 1
            if math.log1p(-generator.random()) < log_ratio:
                accepts[low] += 1
                self._swap(low, high)
        self.exchanges += 1
        self._mark_ends()
        return attempts, accepts

    def _swap(self, low: int, high: int) -> None:
        pair, swapped = [low, high], [high, low]
        for array in (self.positions, self.velocities, self.energies, self.replica):
            array[pair] = array[swapped]
        rescale = math.sqrt(self.temperatures_K[low] / self.temperatures_K[high])
        self.velocities[low] *= rescale
        self.velocities[high] /= rescale

    def _mark_ends(self) -> None:
        bottom, top = self.replica[0], self.replica[-1]
        if self.heading[bottom] < 0:
            self.round_trips[bottom] += 1
        self.heading[bottom] = 1.0
        if top != bottom:
            self.heading[top] = -1.0
