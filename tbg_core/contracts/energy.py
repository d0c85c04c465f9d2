"""Contract of energies: a backend binds a system at a thermodynamic state to a differentiable target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from typing_extensions import Self

from tbg_core.units import thermal_energy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from torch import Tensor

    from tbg_core.contracts.system import System


@dataclass(frozen=True)
class ThermodynamicState:
    """The conditions that turn a potential into a Boltzmann distribution.

    Attributes:
        temperature_K: Temperature in kelvin.
    """

    temperature_K: float = 300.0

    @property
    def kT(self) -> float:
        """Thermal energy in kJ/mol."""
        return thermal_energy(self.temperature_K)


class Target(ABC):
    """The unnormalised density exp(-u(x)) of one system at one state, u = U/kT.

    Use it as a context manager, or call :meth:`close`: a target may hold worker processes.

    Attributes:
        system: What it is the energy of.
        state: Thermodynamic state.
        evaluations: Conformations evaluated so far, with or without gradient.
    """

    def __init__(self, system: System, state: ThermodynamicState) -> None:
        self.system = system
        self.state = state
        self.evaluations = 0

    @abstractmethod
    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        """u [B] and, if asked, du/dx [B, *event], both float64 on the device of ``x``.

        A conformation whose energy cannot be computed (overlapping atoms, an SCF that does not converge)
        gets u = nan or +inf and does not disturb the others.
        """

    def energy_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reduced energy [B] and its gradient [B, *event] (1/nm for molecules), float64."""
        self.evaluations += len(x)
        u, gradient = self._evaluate(x.detach(), gradient=True)
        assert gradient is not None  # noqa: S101 - the contract of _evaluate
        return u, gradient

    def reduced_energy(self, x: Tensor) -> Tensor:
        """Reduced energy u(x) = U(x)/kT [B], float64; differentiable with respect to ``x``.

        Args:
            x: States [B, *event_shape]; nm, atoms in the order of ``system``, for molecules.
        """
        if x.requires_grad and torch.is_grad_enabled():
            return _ReducedEnergy.apply(x, self)  # type: ignore[no-any-return, no-untyped-call]
        self.evaluations += len(x)
        return self._evaluate(x.detach(), gradient=False)[0]

    @property
    def reference_values(self) -> Mapping[str, float]:
        """Exact values where they are known (``log_z``, ``mean_energy``, ...); empty for molecules."""
        return {}

    def describe(self) -> dict[str, Any]:
        """What a reader needs to reproduce this energy (force field, versions, options), as plain data.

        Keys that begin with ``platform`` or end in ``version`` say how it is computed, all others what: targets
        of one system that agree in those have the same distribution.
        """
        return {"temperature_K": self.state.temperature_K}

    def close(self) -> None:  # noqa: B027 - optional: most targets hold nothing
        """Releases worker processes and device memory; calling it twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _ReducedEnergy(torch.autograd.Function):
    """Gives a target's analytic gradient to autograd (first derivatives only)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Target) -> Tensor:
        u, gradient = target.energy_and_grad(x)
        ctx.save_for_backward(gradient.to(x.dtype))
        return u

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_u: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        shape = (len(gradient),) + (1,) * (gradient.ndim - 1)
        return gradient * grad_u.to(gradient.dtype).view(shape), None


class EnergyBackend(ABC):
    """A component that knows how to evaluate potentials of some family of systems."""

    def default_temperature_K(self, system: System) -> float:
        """Temperature used where the user names none, e.g. that of the system's force-field preset."""
        return 300.0

    @abstractmethod
    def bind(self, system: System, state: ThermodynamicState) -> Target:
        """Sets the potential up for one system.

        Raises:
            EnergyError: If the system lies outside what the backend supports; names the reason.
        """
