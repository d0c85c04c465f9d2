"""Contract of samplers: a proposal and a target become an ensemble."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.ensemble import Ensemble
    from tbg_core.randomness import SampleKeys


class Sampler(ABC):
    """Turns keyed draws of a proposal into weighted samples of a target, block by block.

    Attributes:
        coupled: True if the particles of a block interact (SMC), so that a block is a population and the
            unit of independence.
    """

    coupled: ClassVar[bool] = False

    @abstractmethod
    def sample_block(self, proposal: Proposal, target: Target, keys: SampleKeys) -> Ensemble:
        """The attempted samples of one block, invalid ones included and flagged, in the order of ``keys``."""
