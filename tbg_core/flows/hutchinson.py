"""A stochastic estimate of the divergence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from typing_extensions import override

from tbg_core.contracts.likelihood import LikelihoodRule, Transport
from tbg_core.flows.divergence import quadratic_forms
from tbg_core.flows.rates import finish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.system import Batch
    from tbg_core.flows.config import HutchinsonConfig
    from tbg_core.randomness import SampleKeys


class Hutchinson(LikelihoodRule):
    """Integrates e^T (dv/dx) e for Rademacher probes e that stay fixed along a path.

    log_det is right in expectation over the probes, but importance weights need exp(-log_det), whose
    expectation is larger (Jensen): weights are biased whatever the tolerance, and ensembles are marked.
    ``log_det_err`` is the standard error over the probes, zero if there is but one. Source: Grathwohl et al.,
    "FFJORD", ICLR 2019.
    """

    biased: ClassVar[bool] = True

    def __init__(self, config: HutchinsonConfig) -> None:
        self.config = config

    @override
    def transport(
        self,
        field: VectorField,
        integrator: Integrator,
        x: Tensor,
        batch: Batch,
        t0: float,
        t1: float,
        *,
        keys: SampleKeys,
        condition: Tensor | None = None,
        wanted: Callable[[Tensor], Tensor] | None = None,
    ) -> Transport:
        count = self.config.probes
        coins = keys.child("hutchinson").uniform((count, *x.shape[1:]))
        probes = torch.where(coins < 0.5, -1.0, 1.0).to(x).transpose(0, 1)  # [K, B, *event]
        if batch.mask is not None:
            probes = probes * batch.mask.view(*batch.mask.shape, *(1,) * (x.ndim - 2)).to(x)
        # One accumulator per probe: their spread is the error.
        names = [f"log_det_{k}" for k in range(count)]

        def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
            c = None if condition is None else condition[rows]
            v, forms = quadratic_forms(field, t, x, batch.select(rows), c, tangents=probes[:, rows])
            return v, dict(zip(names, forms, strict=True))

        solution = integrator.integrate(rhs, x, t0, t1, accumulators=names)
        estimates = torch.stack([solution.accumulators[name] for name in names])
        error = torch.zeros_like(estimates[0])
        if count > 1:
            error = estimates.std(dim=0) / math.sqrt(count)
        return finish(solution, estimates.mean(dim=0), error)
