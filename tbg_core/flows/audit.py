"""How wrong log q is: samples against a tight, exact reference in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tbg_core.contracts.integrator import Status

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.proposal import Draws, Proposal
    from tbg_core.contracts.system import System


@dataclass(frozen=True)
class Audit:
    """Errors found on some samples.

    Attributes:
        log_q_error: Reported minus reference log q [n], float64, nan where either failed.
        log_q_err: The error that was estimated for each sample [n].
        failed: Samples without a number, of the proposal or of the reference.
    """

    log_q_error: Tensor
    log_q_err: Tensor
    failed: int

    @property
    def rms(self) -> float:
        """Root-mean-square error of the samples that have one; nan if none has."""
        return float(self._errors.square().mean().sqrt())

    @property
    def max(self) -> float:
        """Largest absolute error; nan if no sample has one."""
        return float(self._errors.abs().max()) if len(self._errors) else float("nan")

    @property
    def _errors(self) -> Tensor:
        return self.log_q_error[torch.isfinite(self.log_q_error)]


@torch.no_grad()
def audit(
    proposal: Proposal,
    draws: Draws,
    system: System,
    reference: Integrator,
    condition: Tensor | None = None,
) -> Audit | None:
    """Compares log q of ``draws`` with that of the same density, computed tightly in float64 from the same x.

    The error is that of the weights, log w = -u(x) - log q(x): it holds what the rule, the tolerance of the
    integrator and the precision of the network contribute together.

    Args:
        proposal: What gave ``draws``, by sampling or by ``log_prob``.
        draws: A share of its samples.
        system: What they are samples of.
        reference: An integrator with tolerances far below the errors sought, e.g. dopri5 at 1e-8.
        condition: Conditioning values [n, C] that were used.

    Returns:
        The errors; None if the density cannot be computed better than it is.
    """
    better = proposal.reference(reference)
    if better is None:
        return None
    exact = better.log_prob(draws.x, system, condition)
    bad = (draws.status != Status.OK) | (exact.status != Status.OK)
    error = (draws.log_q - exact.log_q).masked_fill(bad, torch.nan)
    return Audit(error, draws.log_q_err, int(bad.sum()))
