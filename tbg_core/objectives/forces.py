"""Forces at the data as a control variate of flow matching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from tbg_core.contracts.system import MeanFree
from tbg_core.molecule.graph import neighbour_table, topological_distances
from tbg_core.objectives.targets import BoundTargets

if TYPE_CHECKING:
    from tbg_core.contracts.prior import Prior
    from tbg_core.contracts.system import Batch, System
    from tbg_core.registry.references import Reference

WIDTHS_NM: Final = {1: 0.003, 2: 0.006}
"""Standard deviations of the distances of atoms one and two bonds apart at 300 K (alanine dipeptide: medians 0.0029 and
0.0059). They set how much noise is removed, never the mean of a target."""


EDGE: Final = 0.4
"""Scale of the gap at the edge, over the least extent of the molecule (root of the sum of squares, length scales)."""


class ForceTargets:
    """Less noisy targets for the same field: x1 - x0 less a term whose mean is zero at every x_t.

    Near the data, where the widths of bonds are learned, x_t says nothing of where a straight line came from, and most
    of x1 - x0 is noise. With r = 1 - t and x1 = (x_t - r x0) / t, the draws x0 of the prior that lead to x_t have the
    density p(x0 | x_t) ~ p0(x0) p1(x1), whose gradient holds the forces at the datum, grad log p1 = -grad u. By parts,

        E[A (f grad log p(x0 | x_t) + grad f) | x_t] = 0

    for any matrix A, here the inverse of (precision of the prior) + (r/t)^2 (stiffness of bonds and angles): where the
    energy is harmonic, x0 + A grad log p(x0 | x_t) has no noise left. Where it is not, 1 / (1 + (r / reach)^4) of the
    term is taken.

    If x0 is turned onto x1, the draws that lead to x_t fill the space of those best turned to x_t, orthogonal to its
    rotations, and the size of their orbits enters p(x0 | x_t) as det(tr(M) 1 - M), M = x1^T x0. The space ends where
    another rotation or a reflection is as good; f = 1 - exp(-gap / (EDGE extent)) vanishes there, and so everywhere for
    two atoms, which may turn about their own axis. Otherwise f = 1.

    The identity without rotations: De Bortoli et al., "Target Score Matching", 2024, arXiv:2402.08667.

    Args:
        energy: What the data are samples of. If they are biased, targets are slightly wrong; weights stay exact.
        temperature_K: Kelvin; None: that of the energy.
        reach: r at which half of the term is taken.
    """

    def __init__(self, energy: Reference, temperature_K: float | None, reach: float) -> None:
        self.targets, self.reach = BoundTargets(energy, temperature_K), reach
        self._stiffness: dict[str, tuple[Tensor, Tensor]] = {}

    def noise(
        self, prior: Prior, batch: Batch, x0: Tensor, x1: Tensor, t: Tensor, scale: Tensor, *, turned: str
    ) -> Tensor:
        """What is subtracted from x1 - x0 [B, *event].

        Args:
            prior: Density of x0 before it was turned.
            batch: Which system each row is of.
            x0: Draws of the prior [B, *event].
            x1: Data [B, *event], in units of ``scale``.
            t: Times [B].
            scale: Length scale, nm.
            turned: ``"no"``, by ``"rotations"``, or by ``"reflections"`` too: how x0 was turned onto x1.
        """
        noise, r = torch.zeros_like(x0), 1.0 - t.double()
        share = 1.0 / (1.0 + (r / self.reach) ** 4)
        near = share > 0.01  # less gains nothing
        for i, system in enumerate(batch.systems):
            rows = ((batch.index == i) & near).nonzero()[:, 0]
            if not len(rows):
                continue
            n = system.space.event_shape[0]
            y0, y1 = x0[rows, :n].double(), x1[rows, :n].double()
            u, slope = self.targets.of(system).energy_and_grad(y1 * scale)
            term = self._term(prior, system, y0, y1, r[rows], slope.to(y1) * scale, float(scale), turned)
            good = torch.isfinite(u) & torch.isfinite(term).flatten(1).all(1)
            term = term * (share[rows] / (1.0 - r[rows])).view(-1, *(1,) * (x0.ndim - 1))
            noise[rows, :n] = term.where(good.view(-1, *(1,) * (x0.ndim - 1)), 0.0).to(noise)
        return noise

    def _term(
        self, prior: Prior, system: System, x0: Tensor, x1: Tensor, r: Tensor, slope: Tensor, scale: float, turned: str
    ) -> Tensor:
        """A (f grad log p(x0 | x_t) + grad f) of rows of one system."""
        to_data = (r / (1.0 - r)).view(-1, *(1,) * (x0.ndim - 1))
        x_t = (1.0 - r).view_as(to_data) * (x1 + to_data * x0)
        with torch.enable_grad():
            y = x0.detach().requires_grad_()
            density = prior.log_prob(y, system)
            edge = torch.ones_like(density)
            if turned != "no":
                m = (x_t / (1.0 - r).view_as(to_data) - to_data * y).transpose(1, 2) @ y
                values = torch.linalg.eigvalsh(0.5 * (m + m.transpose(1, 2)))
                sums = values.sum(1, keepdim=True) - values  # of any two; ascending, so that the last is the least
                density = density + sums.abs().log().sum(1)
                gap = values[:, 0] if turned == "reflections" else sums[:, 2]
                extent = torch.linalg.eigvalsh(x_t.transpose(1, 2) @ x_t)[:, 0].clamp(min=1e-6).sqrt()
                edge = 1.0 - torch.exp(-gap / (EDGE * extent))
            (gradient,) = torch.autograd.grad(density.sum(), y, retain_graph=True)
            at_edge = torch.zeros_like(y) if turned == "no" else torch.autograd.grad(edge.sum(), y)[0]
        g = edge.detach().view_as(to_data) * (gradient + to_data * slope) + at_edge
        g = _within(g, x_t, system, turned)
        solved = torch.linalg.solve(self._precision(prior, system, x_t, to_data.view(-1), scale), g.flatten(1))
        return _within(solved.view_as(g), x_t, system, turned)

    def _precision(self, prior: Prior, system: System, x_t: Tensor, to_data: Tensor, scale: float) -> Tensor:
        """Precision of x0 given x_t [B, D, D]: of the prior, and of springs along bonds and angles as x_t has them."""
        if system.key not in self._stiffness:
            self._stiffness[system.key] = (_prior_precision(prior, system, x_t[0]), _springs(system, scale).to(x_t))
        precision, springs = self._stiffness[system.key]
        if not springs.any():
            return precision.expand(len(x_t), -1, -1)
        n = x_t.shape[1]
        steps = x_t.unsqueeze(2) - x_t.unsqueeze(1)
        unit = steps / (steps.norm(dim=-1, keepdim=True) + 1e-9)
        blocks = springs[:, :, None, None] * unit.unsqueeze(-1) * unit.unsqueeze(-2)
        stiffness = torch.diag_embed(blocks.sum(2).permute(0, 2, 3, 1)).permute(0, 3, 4, 1, 2) - blocks
        stiffness = stiffness.permute(0, 1, 3, 2, 4).reshape(-1, 3 * n, 3 * n)
        total: Tensor = precision + to_data.square().view(-1, 1, 1) * stiffness
        return total


def _within(v: Tensor, x: Tensor, system: System, turned: str) -> Tensor:
    """``v`` without its share in translations, and in rotations of ``x`` where x0 was turned."""
    if not isinstance(system.space, MeanFree):
        return v
    v = v - v.mean(dim=1, keepdim=True)
    if turned == "no":
        return v
    axes = torch.eye(3, dtype=v.dtype, device=v.device).view(3, 1, 1, 3)
    turns = torch.linalg.cross(axes.expand(-1, *x.shape), x.expand(3, -1, -1, -1)).transpose(0, 1)
    gram = torch.einsum("bxni,byni->bxy", turns, turns)
    # Of atoms on a line one rotation moves nothing: there the matrix has no inverse.
    inverse = torch.linalg.pinv(gram, rtol=1e-12, hermitian=True)
    shares = torch.einsum("bxy,byni,bni->bx", inverse, turns, v)
    return v - torch.einsum("bx,bxni->bni", shares, turns)


def _prior_precision(prior: Prior, system: System, like: Tensor) -> Tensor:
    """-grad log p0 at unit vectors [D, D], with 1 added along translations, which the prior does not know."""
    with torch.enable_grad():
        units = torch.eye(like.numel(), dtype=like.dtype, device=like.device).requires_grad_()
        log_p = prior.log_prob(units.view(-1, *like.shape), system)
        (gradient,) = torch.autograd.grad(log_p.sum(), units)
    if not isinstance(system.space, MeanFree):
        return -gradient
    shift = torch.eye(3, dtype=like.dtype, device=like.device).repeat(len(like), 1)
    return shift @ shift.T - gradient


def _springs(system: System, scale: float) -> Tensor:
    """Spring constants [N, N] of pairs of atoms, in units of the length scale; none without bonds."""
    n = system.space.event_shape[0]
    bonds = getattr(system, "bonds", None)
    if bonds is None or not isinstance(system.space, MeanFree):
        return torch.zeros(n, n, dtype=torch.float64)
    apart = torch.from_numpy(topological_distances(neighbour_table(n, bonds)))
    springs = torch.zeros(n, n, dtype=torch.float64)
    for count, width in WIDTHS_NM.items():
        springs[apart == count] = (scale / width) ** 2
    return springs
