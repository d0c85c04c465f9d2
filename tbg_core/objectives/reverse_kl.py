"""Reverse Kullback-Leibler divergence: learning from an energy, without data."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from typing_extensions import override

from tbg_core.contracts.objective import Objective
from tbg_core.errors import ConfigError, NumericalError
from tbg_core.objectives.targets import BoundTargets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import Batch
    from tbg_core.objectives.config import ReverseKLConfig
    from tbg_core.randomness import SampleKeys


@dataclass(frozen=True)
class ReverseKLTerms:
    """The loss of a batch with what was left out of it.

    Attributes:
        loss: Mean of u + log q over the draws that are kept, a differentiable scalar.
        left_out: Draws far above the median, or without an energy.
        log_w: -u - log q of all draws [B], float64, without gradient.
    """

    loss: Tensor
    left_out: int
    log_w: Tensor


def reverse_kl(
    proposal: Proposal, keys: SampleKeys, target: Target, condition: Tensor | None = None, *, margin: float = 100.0
) -> ReverseKLTerms:
    """<u + log q> over draws of the proposal, which is KL(q || p) - log Z; one energy with its gradient a draw.

    The gradient is that along the path of the draws: the derivative of log q with respect to the weights at fixed x has
    zero mean and is left out, so that the variance vanishes where q is p (Roeder et al. 2017, arXiv:1703.09194; Vaitl
    et al. 2022, arXiv:2206.09016).

    Args:
        proposal: Draws differentiable states.
        keys: One per draw.
        target: What is learned.
        condition: Conditioning values [B, C].
        margin: Draws this far above the median of u + log q are left out (kT).

    Raises:
        ConfigError: If the proposal's draws are not differentiable in its weights.
        NumericalError: If no draw has a finite energy.
    """
    if not proposal.reparameterised:
        raise ConfigError(
            f"draws of {type(proposal).__name__} are not differentiable in its weights.",
            fix="Train it on data, e.g. with -s objective=maximum-likelihood.",
        )
    draws = proposal.sample_with_log_prob(keys, target.system, condition)
    with _frozen(proposal):
        log_q = proposal.log_prob(draws.x, target.system, condition).log_q
    terms = target.reduced_energy(draws.x) + log_q
    values = terms.detach()
    finite = torch.isfinite(values)
    if not finite.any():
        raise NumericalError("no draw of a batch has a finite energy.", fix="Start from a model trained on data.")
    kept = finite & (values <= values[finite].median() + margin)
    loss = terms[kept].mean()
    return ReverseKLTerms(loss, int((~kept).sum()), -values)


class ReverseKL(Objective):
    """KL(q || p) up to a constant, per degree of freedom. It seeks modes: states that q misses are not found by it.

    Args:
        config: Which energy, at which temperature.
    """

    uses_data: ClassVar[bool] = False

    def __init__(self, config: ReverseKLConfig) -> None:
        self.config = config
        self.targets = BoundTargets(config.energy, config.temperature_K)

    @override
    def loss(self, proposal: Proposal, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        """The data ``x`` do not enter: as many states of each system are drawn as it has rows."""
        total, dims = x.new_zeros((), dtype=torch.float64), 0
        for i, system in enumerate(batch.systems):
            rows = (batch.index == i).nonzero()[:, 0]
            if not len(rows):
                continue
            terms = reverse_kl(proposal, keys.select(rows), self.targets.of(system), margin=self.config.margin)
            total = total + len(rows) * terms.loss
            dims += len(rows) * system.space.dim
        return total / dims

    @override
    def close(self) -> None:
        self.targets.close()


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """No gradient flows into the weights from what is computed inside; what was computed before is not touched."""
    trained = [p for p in module.parameters() if p.requires_grad]
    for p in trained:
        p.requires_grad = False
    try:
        yield
    finally:
        for p in trained:
            p.requires_grad = True
