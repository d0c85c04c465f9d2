"""Contract of samplers: a proposal and a target become an ensemble."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    def prepare(self, proposal: Proposal, target: Target, seed: int, stream: str) -> dict[str, Any]:
        """Settles what all blocks of a run share, e.g. a schedule, once, from draws of its own.

        A sampler that is not prepared does so when the first block is asked for.

        Args:
            proposal: The density to draw from.
            target: What is to be sampled.
            seed: The user's seed.
            stream: Stream of the keys of the blocks.

        Returns:
            Plain data for :meth:`restore`; empty if there is nothing to settle.
        """
        return {}

    def restore(self, settings: Mapping[str, Any]) -> None:  # noqa: B027 - optional
        """Takes over what :meth:`prepare` settled, in this process or in another."""

    @abstractmethod
    def sample_block(self, proposal: Proposal, target: Target, keys: SampleKeys) -> Ensemble:
        """The attempted samples of one block, invalid ones included and flagged, in the order of ``keys``.

        Numbers about the block that are worth reporting, e.g. an acceptance, go into ``provenance["sampler"]``.
        """
