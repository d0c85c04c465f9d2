"""Contract of training objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import Batch
    from tbg_core.randomness import SampleKeys


class Objective(ABC):
    """A loss whose minimum is a proposal that matches the data or the target.

    It owns the law of the time and the coupling of prior and data.
    """

    uses_data: ClassVar[bool] = True
    """False if the loss does not depend on the data: it learns from an energy, and data only say which systems."""

    def close(self) -> None:  # noqa: B027 - optional: most hold nothing
        """Ends what it holds, e.g. worker processes of an energy, when training is over. Default: nothing."""

    @abstractmethod
    def loss(self, proposal: Proposal, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        """Mean loss of a batch, a differentiable scalar.

        Args:
            proposal: The model in training.
            x: Data [B, *event]; nm for molecules, padded atoms zero.
            batch: Which system each row is of.
            keys: One key per row for times, noise and prior draws.
        """
