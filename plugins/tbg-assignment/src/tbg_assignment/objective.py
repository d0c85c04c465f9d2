"""Riemannian flow matching on the assignment manifold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from typing_extensions import override

from tbg_assignment.embedding import directions, labels_of
from tbg_core.contracts.objective import Objective
from tbg_core.contracts.system import Logits
from tbg_core.errors import ConfigError
from tbg_core.flows.proposal import FlowProposal

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_assignment.config import FisherRaoConfig
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import Batch
    from tbg_core.randomness import SampleKeys


class FisherRaoMatching(Objective):
    """E <D, R_w D> / n with D = F(w, t) - v^, w = softmax(t v^ + v_0), t ~ Gamma, v_0 from the prior.

    v^ is the direction of the label of a datum, of which nothing but its largest logits counts; R_w D = w D - <w, D> w
    for each variable is the error of the velocity of w, and <D, R_w D>, its squared Fisher-Rao norm, the variance of D
    under w. Constants added to the logits of a variable change nothing.

    Source: Boll et al., Generative Assignment Flows, 2024, arXiv:2406.04527.

    Args:
        config: Law of the time, and norm.
    """

    def __init__(self, config: FisherRaoConfig) -> None:
        self.config = config

    @override
    def loss(self, proposal: Proposal, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        """See :class:`~tbg_core.contracts.objective.Objective`.

        Raises:
            ConfigError: If the proposal is no flow, or the system has no labels.
        """
        if not isinstance(proposal, FlowProposal) or not isinstance(batch.systems[0].space, Logits):
            raise ConfigError(
                f"Fisher-Rao matching trains flows of discrete variables, not {type(proposal).__name__} of "
                f"{batch.systems[0].name}.",
                fix="Choose another objective, e.g. flow-matching, or the model assignment.",
            )
        with torch.autocast(x.device.type, enabled=False):
            t, v, target = self._line(proposal, x, batch, keys)
        error = proposal.field(t, v, batch) - target
        if self.config.metric == "euclidean":
            squares: Tensor = error.square()
            return squares.mean()
        w = torch.softmax(v, dim=-1)
        mean = (w * error).sum(dim=-1, keepdim=True)
        variance: Tensor = (w * (error - mean).square()).sum(dim=-1)
        return variance.mean()

    def _line(self, flow: FlowProposal, x: Tensor, batch: Batch, keys: SampleKeys) -> tuple[Tensor, Tensor, Tensor]:
        """Times [B], states on the lines [B, n, c] and their velocities v^ [B, n, c]."""
        digest = hashlib.sha256(f"{keys.seed}\0{keys.stream}\0".encode() + keys.index.tobytes()).digest()
        noise = torch.Generator(x.device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        rng = np.random.default_rng(list(digest[8:]))
        t = torch.from_numpy(rng.gamma(self.config.concentration, 1.0 / self.config.rate, len(x)))
        t = t.to(x.device, flow.dtype)
        target = directions(x.shape[-1], dtype=flow.dtype, device=x.device)[labels_of(x)]
        start = flow.prior.sample_batch(batch, tuple(x.shape[1:]), noise, flow.dtype)
        return t, t.view(-1, 1, 1) * target + start, target
