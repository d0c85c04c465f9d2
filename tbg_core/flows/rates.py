"""What the likelihood rules have in common: the velocity as a right-hand side, and failed samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tbg_core.contracts.integrator import Rhs, Solution, Status
from tbg_core.contracts.likelihood import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.system import Batch


def velocity_rate(field: VectorField, batch: Batch, condition: Tensor | None) -> Rhs:
    """Right-hand side dx/dt = v(t, x) without accumulators."""

    def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        c = None if condition is None else condition[rows]
        return field(t, x, batch.select(rows), c), {}

    return rhs


def finish(solution: Solution, log_det: Tensor, log_det_err: Tensor, wanted: Tensor | None = None) -> Transport:
    """Gives failed samples log_det = nan and flags those whose log_det is not finite, if it was ``wanted`` [B]."""
    failed = solution.status != Status.OK
    nonfinite = ~(torch.isfinite(log_det) & torch.isfinite(solution.x).flatten(1).all(dim=1))
    if wanted is not None:
        nonfinite = nonfinite & wanted
    status = torch.where(nonfinite & ~failed, int(Status.NONFINITE), solution.status)
    bad = status != Status.OK
    return Transport(
        x=solution.x,
        log_det=log_det.double().masked_fill(bad, torch.nan),
        log_det_err=log_det_err.double().masked_fill(bad, torch.nan),
        status=status,
        evaluations=solution.evaluations,
    )
