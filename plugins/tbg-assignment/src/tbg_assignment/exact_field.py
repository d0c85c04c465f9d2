"""The field that a network would learn from infinite data, where all labellings can be enumerated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_assignment.distributions import Table, all_labels
from tbg_assignment.embedding import directions
from tbg_assignment.network import prior_posterior
from tbg_core.contracts.field import VectorField

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.system import Batch


class ExactField(VectorField):
    """E[v^ | x] over the posterior mu(alpha) prod_i exp(t gain x_{i, alpha_i}) of all labellings.

    Its flow is the law of t v^_alpha + x_0, alpha ~ mu, x_0 ~ N(0, I), at every time.

    Args:
        table: mu.
    """

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.labels = torch.from_numpy(all_labels(table.variables, table.classes))
        self.log_mu = torch.from_numpy(table.log_weights.reshape(-1) - table.log_z)

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        evidence = prior_posterior(t.to(x.dtype), x)
        variables = torch.arange(x.shape[1])
        posterior = torch.softmax(self.log_mu.to(x.dtype) + evidence[:, variables, self.labels].sum(dim=2), dim=1)
        mean: Tensor = torch.tensordot(posterior, directions(x.shape[2], dtype=x.dtype)[self.labels], dims=1)
        return mean
