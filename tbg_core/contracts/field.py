"""Contract of vector fields: dx/dt = v(t, x)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_core.contracts.system import Batch, System


@dataclass(frozen=True)
class Symmetry:
    """What a field commutes with.

    Attributes:
        group: ``"E3"`` commutes with rotations and reflections, ``"SE3"`` with rotations only, ``"none"``.
        permutation: True if it commutes with relabelling atoms that have equal
            :meth:`VectorField.atom_classes`.
    """

    group: Literal["E3", "SE3", "none"] = "none"
    permutation: bool = False

    @property
    def reflection(self) -> bool:
        """True if v(-x) = -v(x), so that the model density is symmetric under mirror images."""
        return self.group == "E3"


class VectorField(nn.Module, ABC):
    """A time-dependent velocity on a system's space.

    ``v`` must lie on the space (mean-free for molecules) and not depend on the centroid of ``x``.

    Attributes:
        symmetry: What it commutes with; of the class, or of the instance where options decide it.
    """

    symmetry: Symmetry = Symmetry()

    @abstractmethod
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        """Velocity [B, *event_shape], in the type of ``x``.

        Args:
            t: Times [B].
            x: States [B, *event_shape] in the flow's length units; padded atoms are zero.
            batch: Which system each row is of; a row depends on its own entry only.
            condition: Optional conditioning values [B, C].
        """

    def velocity_and_divergence(
        self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Velocity and its exact divergence sum_k dv_k/dx_k [B].

        The default differentiates :meth:`forward` once per real coordinate in forward mode; override it
        where the structure of the field gives the same number for less.
        """
        from tbg_core.flows.divergence import exact_divergence

        return exact_divergence(self, t, x, batch, condition)

    @classmethod
    def adapt(cls, config: Any, systems: Sequence[System]) -> Any:  # noqa: ARG003 - for those that override it
        """Makes options explicit that follow from the training systems (an input width, a dimension).

        Called once, before the field is first built for training; the result goes into the checkpoint.
        """
        return config

    def atom_classes(self, system: System) -> Tensor:
        """Class of each atom [N], int64: the field cannot tell atoms of one class apart.

        The default says that it can tell all atoms apart.
        """
        return torch.arange(system.space.event_shape[0])

    def coverage(self, system: System) -> float | None:
        """Share of a system that training showed the field, from 0 to 1; None: it cannot say.

        See :meth:`tbg_core.contracts.proposal.Proposal.coverage`.
        """
        return None
