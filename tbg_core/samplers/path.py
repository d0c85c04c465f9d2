"""The geometric path from a proposal to a target, restricted to the molecule's canonical domain."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import torch

from tbg_core.contracts.integrator import Status
from tbg_core.errors import ConfigError
from tbg_core.molecule import Molecule
from tbg_core.molecule.domain import CanonicalDomain

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal

Drive = Literal["target", "path"]


@dataclass(frozen=True)
class Points:
    """States with what the path needs to know of them; outside of its support log q = -inf or u = inf.

    Attributes:
        x: States [B, *event], float64, on the space.
        log_q: Log-density of the proposal on the domain [B]; nan where it was not needed.
        log_q_err: Its estimated error [B].
        u: Reduced energy [B].
        slope_q: Gradient of log q [B, *event]; zero where moves do not follow it.
        slope_u: Gradient of u [B, *event].
    """

    x: Tensor
    log_q: Tensor
    log_q_err: Tensor
    u: Tensor
    slope_q: Tensor
    slope_u: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def inside(self) -> Tensor:
        """Where both densities are positive [B]."""
        return torch.isfinite(self.log_q) & torch.isfinite(self.u)

    @property
    def log_ratio(self) -> Tensor:
        """log w = -u - log q [B]."""
        return -self.u - self.log_q

    def take(self, rows: Tensor | np.ndarray) -> Points:
        """Some rows, in the order given."""
        chosen = torch.as_tensor(rows)
        return Points(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def replaced(self, mask: Tensor, other: Points) -> Points:
        """The rows of ``other`` where ``mask`` [B], else these."""
        shape = (-1,) + (1,) * (self.x.ndim - 1)
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Points(*(torch.where(mask if a.ndim == 1 else mask.view(shape), b, a) for a, b in pairs))


class GeometricPath:
    """log pi_t = (1 - t) log q - t u, up to a constant: the proposal at t = 0, the target at t = 1.

    Args:
        proposal: q. Its raw density is folded on the domain, whose gain is a constant.
        target: u.
        drive: What moves follow: the slope of the path, or of the target alone, which needs no gradient of log q.

    Attributes:
        densities: Evaluations of log q so far, with or without gradient.
    """

    def __init__(self, proposal: Proposal, target: Target, drive: Drive = "target") -> None:
        self.proposal = proposal
        self.target = target
        self.drive = drive
        self.space = target.system.space
        self.densities = 0
        self._domain: CanonicalDomain | None = None
        self._log_orbit = 0.0
        molecule = target.system
        if isinstance(molecule, Molecule):
            classes = proposal.atom_classes(molecule).tolist()
            self._domain = CanonicalDomain(molecule, classes, proposal.symmetry.reflection)
            self._log_orbit = 0.0 if proposal.folds else self._domain.log_orbit

    def log_density(self, points: Points, t: float) -> Tensor:
        """log pi_t [B], -inf outside of the support; log q does not enter at t = 1."""
        value = -points.u if t == 1.0 else (1.0 - t) * points.log_q - t * points.u
        return value.masked_fill(~torch.isfinite(value), -torch.inf)

    def slope(self, points: Points, t: float) -> Tensor:
        """What moves follow [B, *event]."""
        if self.drive == "target":
            return -points.slope_u
        return (1.0 - t) * points.slope_q - t * points.slope_u

    def evaluate(self, x: Tensor, t: float, *, within: bool = False) -> Points:
        """What is needed of x [B, *event] at t: energies and slopes; log q where the path or its slope holds it.

        Args:
            x: States, anywhere in space.
            t: Where on the path.
            within: For steps inside of a move, which only need slopes: the domain is not looked at.

        Raises:
            ConfigError: If the gradient of log q is needed and the proposal has none.
        """
        x = self.space.project(x)
        u, slope_u = self.target.energy_and_grad(x)
        u = u.cpu().nan_to_num(torch.inf, torch.inf, torch.inf)
        points = Points(
            x=x,
            log_q=torch.full_like(u, torch.nan),
            log_q_err=torch.zeros_like(u),
            u=u,
            slope_q=torch.zeros_like(x),
            slope_u=slope_u.cpu().nan_to_num(0.0, 0.0, 0.0),
        )
        if t < 1.0 and (not within or self.drive == "path"):
            points = self.with_density(points, gradient=self.drive == "path")
        if not within and self._domain is not None:
            inside = torch.from_numpy(self._domain.contains(x.numpy()))
            points = replace(points, u=points.u.masked_fill(~inside, torch.inf))
        return points

    def with_density(self, points: Points, *, gradient: bool = False) -> Points:
        """The same points with log q, and with its gradient where that is asked for."""
        log_q, error, slope = self._density(points.x, gradient=gradient)
        return replace(points, log_q=log_q, log_q_err=error, slope_q=slope)

    def _density(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor, Tensor]:
        self.densities += len(x)
        device = next(self.proposal.parameters(), x).device
        system, slope = self.target.system, torch.zeros_like(x)
        with torch.set_grad_enabled(gradient):
            y = x.detach().to(device).requires_grad_(gradient)
            draws = self.proposal.log_prob(y, system)
            if gradient:
                slope = self._gradient(draws.log_q, y)
        log_q = draws.log_q.detach().double().cpu() + self._log_orbit
        bad = (draws.status.cpu() != Status.OK) | torch.isnan(log_q)
        return log_q.masked_fill(bad, -torch.inf), draws.log_q_err.detach().double().cpu(), slope

    def _gradient(self, log_q: Tensor, y: Tensor) -> Tensor:
        if not log_q.requires_grad:
            raise ConfigError(
                "the density of this model has no gradient, which moves along the path follow.",
                fix="Let moves follow the forces alone: -s sampler.drive=target.",
            )
        finite = torch.isfinite(log_q.detach())
        (slope,) = torch.autograd.grad(log_q.where(finite, torch.zeros_like(log_q)).sum(), y)
        return self.space.project(slope.double().cpu().nan_to_num(0.0, 0.0, 0.0))
