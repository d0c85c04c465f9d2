"""The divergence integrated by a nested quadrature rule along a path that is solved first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.likelihood import LikelihoodRule, Transport
from tbg_core.contracts.system import MeanFree
from tbg_core.flows.kronrod import gauss_kronrod
from tbg_core.flows.rates import finish, velocity_rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.system import Batch
    from tbg_core.flows.config import QuadratureConfig
    from tbg_core.randomness import SampleKeys


MOLECULES: Final = 2.0
"""Default grading for molecules; nothing else has widths as different as those of bonds and torsions."""


class Quadrature(LikelihoodRule):
    """Solves x alone, then integrates the divergence with a Gauss-Kronrod pair (G, K) along the dense path.

    It takes a fixed, small number of divergences per sample where :class:`Augmented` takes one at each stage
    of each step, and since all of them are known beforehand they are evaluated together.

    The result is K. ``log_det_err`` is |K - G|, per sample. That is the error of the far less accurate G, so
    it overstates the error of K, by a lot, wherever the pair converges at all. QUADPACK's scaling of it,
    R min(1, (200 |K - G| / R)^1.5) with R the mean variation of the integrand, is not used: it is meant for
    tolerances near machine precision, and at those that matter here (|K - G| > 1e-7 R) it would overstate
    still more, up to the useless R from |K - G| = R/200 on.

    What no such difference shows is the error of the path itself, which the integrator's tolerance
    governs; :func:`tbg_core.flows.audit.audit` measures both.

    For molecules it is not applied to t but to s, t = T - (T - t0)(1 - s)^g at the end T where the data are: there the
    density narrows to the widths of bonds, and the divergence rises and falls again within the last tenth of the time.
    With g = 2 nodes are spread by the law Beta(1, 1/2) that flow matching draws its times from.
    """

    def __init__(self, config: QuadratureConfig) -> None:
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
        solution = integrator.integrate(velocity_rate(field, batch, condition), x, t0, t1)
        rule = gauss_kronrod((self.config.nodes - 1) // 2)
        times, slopes = self._graded(0.5 * (rule.nodes + 1.0), t0, t1, batch)
        states = torch.stack([solution.path(float(t)) for t in times], dim=1)  # [B, K, *event]
        pair = np.stack([rule.weights, rule.gauss_weights])
        weights = torch.tensor(0.5 * slopes * pair, device=x.device)
        integrals = torch.full((len(x), 2), torch.nan, dtype=torch.float64, device=x.device)

        nodes = torch.as_tensor(times, dtype=x.dtype, device=x.device)
        good = (solution.status == Status.OK).nonzero()[:, 0]
        if wanted is not None:
            good = good[wanted(solution.x[good]).to(good.device)]
        for rows in torch.split(good, max(1, self.config.max_rows // len(nodes))):
            at = rows.repeat_interleave(len(nodes))
            c = None if condition is None else condition[at]
            _, divergence = field.velocity_and_divergence(
                nodes.repeat(len(rows)), states[rows].flatten(0, 1), batch.select(at), c
            )
            values = divergence.double().view(len(rows), len(nodes)) @ weights.T
            integrals = integrals.index_copy(0, rows, values)
        counted = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        counted[good] = True
        return finish(solution, integrals[:, 0], (integrals[:, 0] - integrals[:, 1]).abs(), counted)

    def _graded(self, s: np.ndarray, t0: float, t1: float, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Times t(s) from t0 to t1 for s from 0 to 1, closest to one another at the later end, and dt/ds."""
        g = self.config.grading
        if g is None:
            g = MOLECULES if isinstance(batch.systems[0].space, MeanFree) else 1.0
        if t1 < t0:
            return t0 + (t1 - t0) * s**g, (t1 - t0) * g * s ** (g - 1.0)
        return t1 + (t0 - t1) * (1.0 - s) ** g, (t1 - t0) * g * (1.0 - s) ** (g - 1.0)
