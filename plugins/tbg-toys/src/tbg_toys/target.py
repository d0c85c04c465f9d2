"""What the targets of all toys share: an exact formula, exact samples and two basins."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from typing_extensions import override

from tbg_core.contracts.energy import Target
from tbg_core.errors import EnergyError
from tbg_toys.system import ToySystem

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from tbg_core.contracts.system import System


class ToyTarget(Target):
    """The target of a toy.

    ``reference_values`` are exact to about ten digits: ``log_z``; ``mean_energy``, the mean of u in kT;
    ``mean_x0`` and ``variance_x0`` of the first coordinate; ``basin_free_energy_difference``, F of
    basin 1 minus F of basin 0 in kT, with the basins of :meth:`basin`.
    """

    system: ToySystem

    @abstractmethod
    def potential(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reduced energy [B] and its gradient [B, d] at x [B, d], all float64."""

    @abstractmethod
    def basin(self, x: Tensor) -> Tensor:
        """Basin, 0 or 1, of each of the states x [B, d], int64."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Independent exact samples [count, d], float64."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """What the potential is made of, as plain data."""

    @override
    def describe(self) -> dict[str, Any]:
        """Temperature and parameters."""
        return {**super().describe(), **self.parameters}

    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        u, slope = self.potential(x.to(torch.float64))
        return u, slope if gradient else None


def require_toy(system: System, energy: str, toys: tuple[str, ...]) -> ToySystem:
    """The system, if it is one of ``toys``.

    Raises:
        EnergyError: If it is not.
    """
    if not isinstance(system, ToySystem) or system.toy not in toys:
        raise EnergyError(
            f"Energy {energy} has no potential for system {system.name}.",
            fix=f"It knows the systems {', '.join(toys)}.",
        )
    return system
