"""Sampling: a batch of copies of one molecule grows block by block, each step for the whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tbg_autoregressive.coordinates import frames, place, torsion_of
from tbg_autoregressive.densities import Residuals, Torsions
from tbg_autoregressive.network import geometry
from tbg_autoregressive.order import Torsion

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_autoregressive.latent import LatentVariates
    from tbg_autoregressive.order import Block, Placement
    from tbg_autoregressive.plan import Plan, Topology
    from tbg_autoregressive.proposal import Autoregressive
    from tbg_core.randomness import SampleKeys


class Variates:
    """All random numbers of a batch, drawn at once: those of a sample are a function of its key alone.

    Attributes:
        torsion_uniform: [B, K, 3].
        torsion_normal: [B, K].
        residual_uniform: [B, N, 3, 2].
        residual_normal: [B, N, 3].
    """

    def __init__(self, keys: SampleKeys, n_atoms: int, n_blocks: int, device: torch.device) -> None:
        uniforms, normals = 3 * n_blocks + 6 * n_atoms, n_blocks + 3 * n_atoms
        flat = np.empty((len(keys), uniforms + normals))
        for row, generator in zip(flat, keys.child("autoregressive").generators(), strict=True):
            generator.random(out=row[:uniforms])
            generator.standard_normal(out=row[uniforms:])
        drawn = torch.from_numpy(flat).to(device)
        uniform, normal = drawn[:, :uniforms], drawn[:, uniforms:]
        self.torsion_uniform = uniform[:, : 3 * n_blocks].unflatten(1, (n_blocks, 3))
        self.residual_uniform = uniform[:, 3 * n_blocks :].unflatten(1, (n_atoms, 3, 2))
        self.torsion_normal = normal[:, :n_blocks]
        self.residual_normal = normal[:, n_blocks:].unflatten(1, (n_atoms, 3))

    def torsion(self, density: Torsions, k: int) -> Tensor:
        """The torsion of block k [B, 1]."""
        return density.sample(self.torsion_uniform[:, k : k + 1], self.torsion_normal[:, k : k + 1])

    def residual(self, density: Residuals, rows: slice) -> Tensor:
        """The residuals of a block [B, n, 3]."""
        return density.sample(self.residual_uniform[:, rows], self.residual_normal[:, rows])


class Growth:
    """The state of a growing batch.

    Args:
        model: The density.
        topology: The molecule.
        plan: Its plan, stacked [1, ...].
        variates: Random numbers, or latent ones.
    """

    def __init__(
        self, model: Autoregressive, topology: Topology, plan: Plan, variates: Variates | LatentVariates
    ) -> None:
        self.model, self.topology, self.plan, self.variates = model, topology, plan, variates
        size, n = variates.residual_normal.shape[:2]
        self.atoms, self.placed, self.queries = (s.expand(size, -1, -1) for s in model.chemistry(plan))
        self.keys: list[Tensor] = []
        self.y = variates.residual_normal.new_zeros(size, n, 3)
        self.z = torch.zeros_like(self.y)
        self.log_p = self.y.new_zeros(size)

    def run(self) -> tuple[Tensor, Tensor]:
        """Positions [B, N, 3], nm, in order of placement, and the log-density of their internal coordinates [B]."""
        for k, block in enumerate(self.topology.order.blocks):
            self._add(k, block)
        return self.y, self.log_p

    def _add(self, k: int, block: Block) -> None:
        heads, rows = self.model.heads, slice(block.first, block.first + block.size)
        context = self._context(k, block)
        phi = self.log_p.new_zeros(len(self.y), 1)
        if block.free:
            torsions = Torsions.of(heads.torsion(context).double(), self.plan.fold[:, k : k + 1].double())
            phi = self.variates.torsion(torsions, k)
            self.log_p = self.log_p + torsions.log_prob(phi)[:, 0]
        index = torch.zeros(len(self.y), block.size, dtype=torch.int64, device=self.y.device)
        raw = heads.residuals(self.placed[:, rows], context, phi, index).double()
        density = Residuals.of(raw)
        stiff = self.plan.stiff[:, rows]
        residual = self.variates.residual(density, rows).where(stiff, 0.0)
        scale = self.plan.scale.unflatten(1, (-1, 3))[:, rows].double()
        self.log_p = self.log_p + (density.log_prob(residual) - scale.log()).where(stiff, 0.0).sum((1, 2))
        self._solve(block, scale * residual)
        for n in range(block.first, block.first + block.size):
            self.y[:, n] = self._position(n, phi[:, 0])
        self._remember(rows, residual)

    def _context(self, k: int, block: Block) -> Tensor:
        """Context of block k [B, 1, d]."""
        query = self.queries[:, k : k + 1]
        if block.first == 0:  # the root: nothing is placed yet
            nothing = query.new_zeros(len(self.y), 1, 1, self.model.context.where[0].in_features)
            none = torch.zeros(len(self.y), 1, 1, dtype=torch.bool, device=self.y.device)
            keys = [query.new_zeros(len(self.y), 1, query.shape[-1]) for _ in range(self.model.context.layers)]
            return self.model.context(query, keys, nothing, none)
        parents = self.topology.order.placements[block.first].parents
        b, c, d = (self.y[:, p] for p in parents)
        where = geometry(self.y[:, : block.first].to(query), b.to(query), frames(b, c, d).to(query))
        seen = torch.ones(1, 1, block.first, dtype=torch.bool, device=self.y.device)
        return self.model.context(query, self.keys, where.unsqueeze(1), seen)

    def _solve(self, block: Block, noise: Tensor) -> None:
        """z of the block from z = c + A z + B z_phi^2 + noise; A couples it to what was placed and to itself.

        B couples it to itself alone; where it is not zero (planar rings), one coordinate is solved after the other.
        """
        first, last = 3 * block.first, 3 * (block.first + block.size)
        matrix = self.plan.matrix[0, first:last].double()
        known = self.z.flatten(1)[:, :first] @ matrix[:, :first].T
        right = self.plan.intercept[0, first:last].double() + known + noise.flatten(1)
        rows = slice(block.first, block.first + block.size)
        stiff, square = self.plan.stiff[:, rows], self.plan.square[0, first:last, rows].double()
        if square.any():
            z = torch.zeros_like(right)
            for i in range(last - first):
                bent = z[:, 2::3].square() @ square[i]
                z[:, i] = (right[:, i] + z @ matrix[i, first:last] + bent) * stiff.flatten()[i]
        else:
            inside = torch.eye(last - first, dtype=matrix.dtype, device=matrix.device) - matrix[:, first:last]
            z = torch.linalg.solve_triangular(inside, right.T, upper=False, unitriangular=True).T
        self.z[:, rows] = z.unflatten(1, (-1, 3)).where(stiff, 0.0)

    def _position(self, n: int, phi: Tensor) -> Tensor:
        """Position of the atom at place n [B, 3]."""
        p = self.topology.order.placements[n]
        if n == 0:
            return self.y[:, 0]
        z = self.z[:, n]
        r = z[:, 0].exp()
        parents = [self.y[:, q] for q in p.parents]
        if n == 1:
            return torch.stack([r, torch.zeros_like(r), torch.zeros_like(r)], dim=1)
        cos_theta = self._cosine(p, r, z[:, 1], parents)
        if n == 2:
            third = parents[1] + torch.tensor([0.0, 1.0, 0.0], dtype=r.dtype, device=r.device)
            return place(parents[0], parents[1], third, r, cos_theta, torch.zeros_like(r))
        torsion = phi if p.torsion is Torsion.FREE else torsion_of(z[:, 2], p.torsion, p.sign)
        return place(*parents, r, cos_theta, torsion)

    @staticmethod
    def _cosine(p: Placement, r: Tensor, z_theta: Tensor, parents: list[Tensor]) -> Tensor:
        """cos(theta) from z_theta; NaN where two distances and the line between the parents make no triangle."""
        if not p.two_parents:
            return torch.cos(2.0 * torch.atan(z_theta.exp()))
        base = (parents[0] - parents[1]).norm(dim=-1)
        cosine = (r.square() + base.square() - (2.0 * z_theta).exp()) / (2.0 * r * base)
        return cosine.where(cosine.abs() < 1.0, torch.nan)

    def _remember(self, rows: slice, residual: Tensor) -> None:
        """Appends the keys of the atoms of a block."""
        new = self.model.context.keys(self.atoms[:, rows], residual.to(self.atoms))
        self.keys = (
            [torch.cat([old, more], dim=1) for old, more in zip(self.keys, new, strict=True)] if self.keys else new
        )
