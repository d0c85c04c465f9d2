"""Maximum likelihood: the forward Kullback-Leibler divergence from data to model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.objective import Objective
from tbg_core.errors import OffSupportError

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import Batch
    from tbg_core.objectives.config import MaximumLikelihoodConfig
    from tbg_core.randomness import SampleKeys


class MaximumLikelihood(Objective):
    """-log q(x) of data, in nats per degree of freedom.

    The sum over the rows is divided by the sum of their dimensions: every nat counts the same, whatever the size of the
    system it belongs to, among the rows that go through the network together. States off the model's support, where
    log q is -inf, are left out; a batch that has no other is an error.
    """

    def __init__(self, config: MaximumLikelihoodConfig) -> None:
        self.config = config

    @override
    def loss(self, proposal: Proposal, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        if self.config.augment:
            x = proposal.augment(x, batch, keys)
        log_q = proposal.log_prob_batch(x, batch)
        good = torch.isfinite(log_q)
        if not good.any():
            raise OffSupportError(
                "no state of a batch lies on the support of the model.",
                fix="Train on data of the same topology and handedness as the systems.",
            )
        dims = torch.tensor([s.space.dim for s in batch.systems], dtype=log_q.dtype, device=x.device)[batch.index]
        return -log_q.where(good, 0.0).sum() / dims.where(good, 0.0).sum()
