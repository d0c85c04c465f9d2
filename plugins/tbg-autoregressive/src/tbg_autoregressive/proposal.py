"""The autoregressive density over internal coordinates, as a proposal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from tbg_autoregressive import latent
from tbg_autoregressive.coordinates import Internals, frames, gather, internals
from tbg_autoregressive.densities import LOG_2PI, Residuals, Torsions
from tbg_autoregressive.growth import Growth, Variates
from tbg_autoregressive.network import Chemistry, Context, Heads, geometry
from tbg_autoregressive.plan import CHUNK, Plan, Topology, stack
from tbg_autoregressive.predictions import Predictions, row_sizes
from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.integrator import Status
from tbg_core.contracts.likelihood import Transport
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.errors import ConfigError, UnsupportedSystemError
from tbg_core.molecule import Molecule
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from tbg_autoregressive.config import AutoregressiveConfig
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.system import Batch, System
    from tbg_core.randomness import SampleKeys


class Autoregressive(Proposal):
    """q(x) as a product over blocks of atoms placed one after the other; exact, in one pass, for any molecule.

    Handedness and the labels of prochiral hydrogens are part of the support (SIGNED torsions), so nothing is
    folded; what lies outside the canonical domain otherwise (a broken bond) is recognised by the sampler.

    Attributes:
        predictions: Linear predictions of stiff coordinates.
    """

    rigid_latents: ClassVar[int] = 3

    def __init__(self, config: AutoregressiveConfig) -> None:
        super().__init__()
        if config.width % config.heads:
            raise ConfigError(
                f"width {config.width} is not a multiple of heads {config.heads}.", fix="Choose another width."
            )
        self.config = config
        self.predictions = Predictions(config.rows or 0, config.coefficients or 0)
        self.chemistry = Chemistry(config.width, config.chemistry_layers)
        self.context = Context(config.width, config.heads, config.layers)
        self.heads = Heads(config)
        for part in (self.chemistry, self.context, self.heads):
            part.to(getattr(torch, config.dtype))
        self._compiled = False
        self._topologies: dict[str, Topology] = {}
        self._plans: dict[str, Plan] = {}
        self._stacks: dict[tuple[str, ...], Plan] = {}

    @classmethod
    def adapt(cls, config: AutoregressiveConfig, systems: Sequence[System]) -> AutoregressiveConfig:
        """Sets the size of the table of predictions; that of a trained model is known."""
        if config.rows is not None:
            return config
        sizes = row_sizes(Topology.of(_molecule(system)) for system in systems)
        return config.model_copy(update={"rows": len(sizes), "coefficients": sum(sizes.values())})

    @property
    @override
    def symmetry(self) -> Symmetry:
        """Rotations alone: the density knows left from right and tells all atoms apart."""
        return Symmetry("SE3", permutation=False)

    @override
    def fit_constants(self, systems: Sequence[System], states: Sequence[np.ndarray]) -> None:
        """Fits the linear predictions in closed form, from conformations of each system [n, N, 3], nm."""
        self.predictions.fit([self.topology(s) for s in systems], states)
        self._forget_plans()

    @override
    def extend_constants(self, systems: Sequence[System], states: Sequence[np.ndarray]) -> dict[str, Any]:
        """Fits the linear predictions that only further molecules have; returns the new size of their table."""
        self.predictions.extend([self.topology(s) for s in systems], states)
        self._forget_plans()
        sizes = {"rows": len(self.predictions.keys), "coefficients": len(self.predictions.coefficient)}
        self.config = self.config.model_copy(update=sizes)
        return sizes

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._stacks.clear()

    def topology(self, system: System) -> Topology:
        """Order and names of a molecule, made once."""
        if system.key not in self._topologies:
            self._topologies[system.key] = Topology.of(_molecule(system))
        return self._topologies[system.key]

    def plan(self, systems: Sequence[System], n_atoms: int = 0) -> Plan:
        """Stacked plans of molecules, padded to ``n_atoms`` at least; made once."""
        key = (*(s.key for s in systems), str(n_atoms))
        if key not in self._stacks:
            for system in systems:
                if system.key not in self._plans:
                    self._plans[system.key] = self.predictions.plan(self.topology(system))
            device = self.predictions.scale.device
            self._stacks[key] = stack([self._plans[s.key] for s in systems], n_atoms).to(device)
        return self._stacks[key]

    @override
    def atom_classes(self, system: System) -> Tensor:
        """All atoms are told apart."""
        return torch.arange(self.topology(system).molecule.n_atoms)

    @override
    def coverage(self, system: System) -> float:
        return self.predictions.coverage(self.topology(system))

    @override
    def log_prob(self, x: Tensor, system: System, condition: Tensor | None = None) -> Draws:
        plan = self.plan([system])
        index = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        log_q = self.log_density(x.double(), plan, index)
        return Draws.in_one_pass(x, log_q)

    @override
    def log_prob_batch(self, x: Tensor, batch: Batch) -> Tensor:
        plans, index = self.plan(batch.systems, x.shape[1]), batch.index
        if (
            not self._compiled
        ):  # which wants the same shapes every time; else only the molecules that occur are looked at
            used, index = torch.unique(index, return_inverse=True)
            plans = plans.rows(used)
        return self.log_density(x, plans, index)

    @override
    def augment(self, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        """Turns methyl groups, carboxylates, phenyl rings, ... by a random multiple of their symmetry angle."""
        plan = self.plan(batch.systems, x.shape[1]).rows(batch.index)
        if plan.rotations.shape[1] == 0:
            return x
        noise = generator(keys.seed, keys.stream, "augment").random((len(x), plan.first.shape[1]))
        turns = torch.floor(torch.from_numpy(noise).to(x) * plan.fold.to(x))
        applied = (turns.gather(1, plan.rotation_block) >= plan.rotation_level) & (plan.rotation_level > 0)
        y = gather(x, plan.order)
        for s in range(plan.rotations.shape[1]):
            y = torch.where(applied[:, s, None, None], gather(y, plan.rotations[:, s]), y)
        return gather(y, plan.place)

    @override
    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the density of batches, for training."""
        self._compiled = True
        self.log_density = torch.compile(self.log_density, *args, **kwargs)  # type: ignore[method-assign]

    def log_density(self, x: Tensor, plans: Plan, index: Tensor) -> Tensor:
        """log q [B] of molecules x [B, N, 3], nm, padded; in the type of x but for the network. -inf off the support.

        Args:
            x: Positions.
            plans: Of the distinct molecules [M, ...].
            index: Which of them each row is of [B].
        """
        return self._factors(x, plans, index).log_q()

    def _factors(self, x: Tensor, plans: Plan, index: Tensor) -> _Factors:
        """The conditional densities at x, and the coordinates that they are densities of."""
        statics = self.chemistry(plans)
        plan = plans.rows(index)
        y = gather(x, plan.order)
        y = y - y[:, :1]
        found = internals(y, plan)
        z = found.z.flatten(1)
        predicted = plan.intercept + torch.einsum("bij,bj->bi", plan.matrix.to(z), z)
        predicted = predicted + torch.einsum("bij,bj->bi", plan.square.to(z), found.z[..., 2].square())
        residual = ((z - predicted) / plan.scale).unflatten(1, (-1, 3)).where(plan.stiff, 0.0)
        atoms, placed, blocks = (s[index] for s in statics)
        context = self._context(blocks, self.context.keys(atoms, residual.to(atoms)), y.to(atoms), plan)
        phi = found.phi.gather(1, plan.first).where(plan.free, 0.0)
        torsions = Torsions.of(self.heads.torsion(context).to(y), plan.fold.to(y))
        raw = self.heads.residuals(placed, context, phi, plan.block).to(y)
        return _Factors(plan, y, found, torsions, phi, Residuals.of(raw), residual)

    def _context(self, blocks: Tensor, keys: list[Tensor], y: Tensor, plan: Plan) -> Tensor:
        """Contexts of all blocks [B, K, d]."""
        refs = [gather(y, plan.parents[..., k].gather(1, plan.first)) for k in range(3)]
        # The root has no frame and nothing before it: any three points that are not on a line will do.
        safe = torch.eye(3, dtype=y.dtype, device=y.device)
        refs = [torch.where(plan.live.unsqueeze(-1), r, s) for r, s in zip(refs, safe, strict=True)]
        axes = frames(*refs)
        places = torch.arange(y.shape[1], device=y.device)
        seen = (places < plan.first.unsqueeze(-1)) & plan.live.unsqueeze(-1)
        out = []
        for chunk, last in enumerate(plan.reach):
            rows = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
            where = geometry(y[:, None, :last], refs[0][:, rows], axes[:, rows])
            out.append(self.context(blocks[:, rows], [k[:, :last] for k in keys], where, seen[:, rows, :last]))
        return torch.cat(out, dim=1)

    @override
    def sample_with_log_prob(self, keys: SampleKeys, system: System, condition: Tensor | None = None) -> Draws:
        plans, topology = self.plan([system]), self.topology(system)
        blocks = len(topology.order.blocks)
        variates = Variates(keys, topology.molecule.n_atoms, blocks, self.predictions.scale.device)
        y, log_p = Growth(self, topology, plans, variates).run()
        plan = plans.rows(torch.zeros(len(y), dtype=torch.int64, device=y.device))
        volume = internals(y, plan)
        log_q = (log_p - volume.log_volume + plan.log_constant).masked_fill(~volume.inside, -torch.inf)
        x = gather(y, plan.place)
        return Draws.in_one_pass(x - x.mean(dim=1, keepdim=True), log_q)

    @override
    def to_latent(self, x: Tensor, system: System, condition: Tensor | None = None) -> Transport:
        """Standard normal variates z [B, 3 (N - 1)]: torsions, stiff coordinates, and last the orientation."""
        plan, x = self.plan([system]), x.double()
        f = self._factors(x, plan, torch.zeros(len(x), dtype=torch.int64, device=x.device))
        free, stiff = plan.free[0], plan.stiff[0]
        torsion = latent.normal_of_torsion(f.torsions, f.phi)[:, free]
        residual = latent.normal_of_residual(f.residuals, f.residual)[:, stiff]
        z = torch.cat([torsion, residual, latent.normal_of_axes(latent.root_axes(f.y).mT)], dim=1)
        return _transport(z, f.log_q() - self.latent_log_prob(z, system))

    @override
    def from_latent(self, z: Tensor, system: System, condition: Tensor | None = None) -> Transport:
        plan, topology = self.plan([system]), self.topology(system)
        z, free, stiff = z.double(), plan.free[0], plan.stiff[0]
        blocks = int(free.sum())
        torsion_normal = z.new_zeros(len(z), len(free))
        torsion_normal[:, free] = z[:, :blocks]
        residual_normal = z.new_zeros(len(z), *stiff.shape)
        residual_normal[:, stiff] = z[:, blocks:-3]
        y, log_p = Growth(self, topology, plan, latent.LatentVariates(torsion_normal, residual_normal)).run()
        rows = plan.rows(torch.zeros(len(y), dtype=torch.int64, device=y.device))
        volume = internals(y, rows)
        log_q = (log_p - volume.log_volume + rows.log_constant).masked_fill(~volume.inside, -torch.inf)
        turned = y @ (latent.axes_of_normal(z[:, -3:]) @ latent.root_axes(y)).mT
        x = gather(turned, rows.place)
        return _transport(x - x.mean(dim=1, keepdim=True), self.latent_log_prob(z, system) - log_q)

    @override
    def latent_log_prob(self, z: Tensor, system: System, condition: Tensor | None = None) -> Tensor:
        """Log-density of independent standard normal variates."""
        return -0.5 * (z.double().square() + LOG_2PI).sum(dim=1)

    @override
    def reference(self, integrator: Integrator) -> Autoregressive:
        """The same density with its network in float64; no equation is to be solved."""
        better = Autoregressive(self.config.model_copy(update={"dtype": "float64"}))
        better.load_state_dict(self.state_dict())
        return better.to(self.predictions.scale.device).eval()

    @override
    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._plans.clear()
        self._stacks.clear()

    @override
    def _apply(self, fn: Any, recurse: bool = True) -> Autoregressive:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._stacks.clear()
        return self


@dataclass(frozen=True)
class _Factors:
    """Conditional densities of B conformations and where they are evaluated."""

    plan: Plan
    y: Tensor
    found: Internals
    torsions: Torsions
    phi: Tensor
    residuals: Residuals
    residual: Tensor

    def log_q(self) -> Tensor:
        """Their product [B]; -inf off the support."""
        plan = self.plan
        log_torsion = self.torsions.log_prob(self.phi).where(plan.free, 0.0).sum(1)
        log_stiff = self.residuals.log_prob(self.residual) - plan.scale.to(self.residual).log().unflatten(1, (-1, 3))
        log_stiff = log_stiff.where(plan.stiff, 0.0).sum((1, 2))
        log_q = log_torsion + log_stiff - self.found.log_volume + plan.log_constant.to(self.residual)
        return log_q.masked_fill(~self.found.inside, -torch.inf)


def _transport(x: Tensor, log_det: Tensor) -> Transport:
    good = torch.isfinite(log_det) & torch.isfinite(x).flatten(1).all(1)
    return Transport(
        x=x,
        log_det=log_det,
        log_det_err=torch.zeros_like(log_det),
        status=torch.where(good, int(Status.OK), int(Status.NONFINITE)),
        evaluations=torch.ones(len(x), dtype=torch.int64, device=x.device),
    )


def _molecule(system: System) -> Molecule:
    if not isinstance(system, Molecule):
        raise UnsupportedSystemError(
            f"the autoregressive model is for molecules; {system.name} is a {type(system).__name__}.",
            fix="Use a model with a vector field.",
        )
    return system
