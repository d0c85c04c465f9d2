"""Contract of likelihood rules: how the change of log-density along a flow's path is obtained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
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
        log_det: log|det dx(t1)/dx(t0)| [B], float64: the integral of the divergence from t0 to t1.
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
    ) -> Transport:
        """Moves ``x`` from time ``t0`` to ``t1``; ``keys`` feed rules that need noise."""
