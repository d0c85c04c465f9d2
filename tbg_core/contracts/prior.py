"""Contract of priors: tractable densities on a system's space that a flow starts from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch

from tbg_core.contracts.field import Symmetry
from tbg_core.randomness import SampleKeys

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.system import Batch, System


class Prior(ABC):
    """A normalised density on the state space of any system it supports.

    Lengths are in the proposal's own units (a flow works on coordinates divided by its length scale), so
    a prior knows no nanometres.

    Attributes:
        symmetry: What the density is invariant under; relabelling only within :meth:`atom_classes`.
    """

    symmetry: ClassVar[Symmetry] = Symmetry()

    @abstractmethod
    def sample(self, keys: SampleKeys, system: System) -> Tensor:
        """Draws one state per key, [B, *event_shape], float64, on the system's space.

        Sample i depends on ``keys.index[i]`` alone, not on the other rows.
        """

    @abstractmethod
    def log_prob(self, x: Tensor, system: System) -> Tensor:
        """Log-density [B], float64, with respect to the base measure of ``system.space``.

        Args:
            x: States [B, *event_shape] on the space, any floating type; differentiable.
            system: The system the states belong to.
        """

    def atom_classes(self, system: System) -> Tensor:
        """Class of each atom [N], int64: the density is invariant under relabelling inside a class.

        The default says that it tells all atoms apart.
        """
        return torch.arange(system.space.event_shape[0])

    def sample_batch(
        self, batch: Batch, event_shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
    ) -> Tensor:
        """Draws a state for each row of a batch, for training: from one generator, on its device.

        Making a generator per sample, as :meth:`sample` must, is slow for batches of hundreds; the default
        does it all the same, so priors meant for training override it.

        Args:
            batch: Which system each row is of.
            event_shape: Shape of one row, padded atoms included; they are drawn as zeros.
            generator: Source of the numbers; the draws are made on its device.
            dtype: Type of the states [B, *event_shape].
        """
        device = generator.device
        seed = int(torch.randint(2**62, (), generator=generator, device=device))
        states = torch.zeros((len(batch), *event_shape), dtype=dtype, device=device)
        for i, system in enumerate(batch.systems):
            rows = (batch.index == i).nonzero()[:, 0]
            drawn = self.sample(SampleKeys(seed, f"{system.key}/training", rows.cpu().numpy()), system)
            states[rows, : drawn.shape[1]] = drawn.to(states)
        return states
