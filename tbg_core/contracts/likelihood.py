"""Contract of likelihood rules: how the change of log-density along a flow's path is obtained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.system import Batch
    from tbg_core.randomness import SampleKeys


@dataclass(frozen=True)
class Transport:
    """States moved along a flow.

    Attributes:
        x: Final states [B, *event].
        log_det: log|det dx(t1)/dx(t0)| [B], float64: the integral of the divergence from t0 to t1. nan in rows that
            failed, and in good rows that were not wanted.
        log_det_err: Estimated absolute error of ``log_det`` [B], float64; zero where none is estimated.
        status: :class:`~tbg_core.contracts.integrator.Status` per sample [B].
        evaluations: Velocity evaluations per sample [B], int64 (divergences not counted).
    """

    x: Tensor
    log_det: Tensor
    log_det_err: Tensor
    status: Tensor
    evaluations: Tensor


class LikelihoodRule(ABC):
    """Moves states along a field and accounts for the volume.

    Attributes:
        biased: True if ``exp(log_det)`` is not exact even in the limit of small steps (a stochastic trace
            estimate); ensembles made with it are marked.
    """

    biased: ClassVar[bool] = False

    @abstractmethod
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
        """Moves ``x`` from time ``t0`` to ``t1``.

        Args:
            field: The velocity.
            integrator: Solves for the path.
            x: States [B, *event] at ``t0``.
            batch: Which system each row is of.
            t0: Where the path begins.
            t1: Where it ends.
            keys: Feed rules that need noise.
            condition: Conditioning values [B, C].
            wanted: Tells of final states [b, *event] which of them need a ``log_det``, bool [b]. A rule that accounts
                for the volume after the path leaves out the others; one that does so along the way need not ask.
        """
