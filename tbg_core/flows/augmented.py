"""The divergence as one more component of the differential equation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.likelihood import LikelihoodRule, Transport
from tbg_core.flows.rates import finish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.system import Batch
    from tbg_core.flows.config import AugmentedConfig
    from tbg_core.randomness import SampleKeys


class Augmented(LikelihoodRule):
    """Integrates d log_det/dt = div v together with x.

    The divergence is taken at every stage of the integrator, which makes it the dearest part; in return it
    takes part in step control, so that the tolerance holds for log q too. No separate error is estimated:
    ``log_det_err`` is zero. Source: Chen et al., "Neural ordinary differential equations", NeurIPS 2018.
    """

    def __init__(self, config: AugmentedConfig) -> None:
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
        def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
            c = None if condition is None else condition[rows]
            v, divergence = field.velocity_and_divergence(t, x, batch.select(rows), c)
            return v, {"log_det": divergence}

        solution = integrator.integrate(rhs, x, t0, t1, accumulators=("log_det",))
        log_det = solution.accumulators["log_det"]
        return finish(solution, log_det, torch.zeros_like(log_det))
