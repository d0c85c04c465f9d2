"""The continuous normalising flow: a prior carried along an ordinary differential equation."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.integrator import Status
from tbg_core.contracts.likelihood import Transport
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.contracts.system import Batch, Logits, MeanFree
from tbg_core.errors import ConfigError
from tbg_core.flows.config import FlowConfig, QuadratureConfig
from tbg_core.flows.quadrature import Quadrature
from tbg_core.randomness import SampleKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.likelihood import LikelihoodRule
    from tbg_core.contracts.prior import Prior
    from tbg_core.contracts.system import System

_GROUPS = ("none", "SE3", "E3")

_POOLED: Final = 40_000
"""About how many states of several molecules their common length scale is taken from: an average needs no more."""


class FlowProposal(Proposal):
    """x = s F(z): z from the prior at t = 0, F the flow of dx/dt = v(t, x) up to t = T, s the length scale.

    log q(x) = log p0(z) - integral of div v from 0 to T - dim log s, with respect to nm^dim on the space of
    the system. T is 1 unless a proposal says otherwise. Gradients are recorded wherever they are enabled: call it
    under ``torch.no_grad()`` to sample.

    Attributes:
        prior: Density of z, in units of the length scale.
        field: v.
        integrator: Solves the equation, either way.
        likelihood: Obtains log q along the way.
        t_end: T.
        length_scale: s in nm, float64; nan until it is known. Stored with the weights.
        dtype: Type of states inside the flow.
    """

    reparameterised: ClassVar[bool] = True
    any_path: ClassVar[bool] = True
    """True if any path of densities from prior to data will do; False if the meaning of the field fixes one."""
    t_end: float = 1.0
    length_scale: Tensor

    def __init__(
        self,
        config: FlowConfig,
        *,
        prior: Prior,
        field: VectorField,
        integrator: Integrator,
        likelihood: LikelihoodRule,
    ) -> None:
        super().__init__()
        self.config = config
        self.dtype: torch.dtype = getattr(torch, config.dtype)
        self.prior = prior
        self.field = field.to(self.dtype)
        self.integrator = integrator
        self.likelihood = likelihood
        self.biased = likelihood.biased
        self.batch_coupled = integrator.batch_coupled
        scale = float("nan") if config.length_scale_nm is None else config.length_scale_nm
        self.register_buffer("length_scale", torch.tensor(scale, dtype=torch.float64))

    @property
    def symmetry(self) -> Symmetry:
        """What both the prior and the field commute with."""
        group = min(self.prior.symmetry.group, self.field.symmetry.group, key=_GROUPS.index)
        permutation = self.prior.symmetry.permutation and self.field.symmetry.permutation
        return Symmetry(group, permutation)

    def coverage(self, system: System) -> float | None:
        """What the field says of it."""
        return self.field.coverage(system)

    def atom_classes(self, system: System) -> Tensor:
        """Atoms are alike if neither the field nor the prior can tell them apart."""
        if not self.symmetry.permutation:
            return super().atom_classes(system)
        pairs = torch.stack([self.field.atom_classes(system).cpu(), self.prior.atom_classes(system)], dim=1)
        classes: Tensor = torch.unique(pairs, dim=0, return_inverse=True)[1]
        return classes

    @override
    def training_warning(self, systems: Sequence[System]) -> str:
        """Says so where the prior fixes labels of atoms that the field exchanges.

        The field carries a symmetrised prior to symmetrised data: which of the atoms that it sees alike becomes which
        is left to chance, and cannot be chosen afterwards in a density that is not symmetric.
        """
        for system in systems:
            seen, kept = (torch.unique(c).numel() for c in (self.field.atom_classes(system), self.atom_classes(system)))
            if self.field.symmetry.permutation and seen < kept:
                return (
                    f"warning: the field tells {seen} kinds of atoms of {system.name} apart, and the prior {kept}: the "
                    "field will exchange atoms whose labels the prior fixes, and samples will have wrong bonds. "
                    "Use -s prior.name=mean-free-gaussian, which fixes none, or a finer encoding."
                )
        return ""

    def prepare_training(self, states: Tensor) -> None:
        """Sets the length scale, unless the config names one: see :class:`FlowConfig`.

        Args:
            states: Training data [n, N, 3] in nm, padded atoms exactly zero, or [n, d].
        """
        if self.config.length_scale_nm is not None:
            return
        scale = 1.0
        if states.ndim == 3:
            index = torch.zeros(len(states), dtype=torch.int64, device=states.device)
            batch = Batch((), index, (states != 0).any(dim=-1))
            assert batch.mask is not None  # noqa: S101 - just set
            squares = batch.centre(states.double()).square().sum()
            scale = float((squares / (3 * batch.mask.sum())).sqrt())
        self.length_scale.fill_(scale)

    @override
    def fit_constants(self, systems: Sequence[System], states: Sequence[np.ndarray]) -> None:
        """Sets the length scale: one for all molecules, from all of them; logits have none, whatever they are like."""
        space = systems[0].space
        if isinstance(space, MeanFree) and len(systems) > 1:
            self.prepare_training(_together(states))
        elif not isinstance(space, Logits):
            super().fit_constants(systems, states)
        elif self.config.length_scale_nm is None:
            self.length_scale.fill_(1.0)

    @override
    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the field, the one part that does the work."""
        self.field.compile(*args, **kwargs)

    @override
    def sample_with_log_prob(self, keys: SampleKeys, system: System, condition: Tensor | None = None) -> Draws:
        return self._sample(keys, system, condition, None)

    @override
    def sample_where(self, keys: SampleKeys, system: System, wanted: Callable[[Tensor], Tensor]) -> Draws:
        return self._sample(keys, system, None, wanted)

    def _sample(
        self, keys: SampleKeys, system: System, condition: Tensor | None, wanted: Callable[[Tensor], Tensor] | None
    ) -> Draws:
        z = self.prior.sample(keys.child("prior"), system).to(self.length_scale.device, self.dtype)
        moved = self.from_latent(z, system, condition, keys=keys, wanted=wanted)
        draws = self._draws(moved.x, self.prior.log_prob(z, system) - moved.log_det, moved)
        if wanted is None:
            return draws
        left_out = (moved.status == Status.OK) & moved.log_det.isnan()
        return replace(draws, status=draws.status.masked_fill(left_out, int(Status.OK)))

    @override
    def log_prob(self, x: Tensor, system: System, condition: Tensor | None = None) -> Draws:
        moved = self.to_latent(x, system, condition)
        return self._draws(x, self.prior.log_prob(moved.x, system) + moved.log_det, moved)

    @override
    def to_latent(
        self,
        x: Tensor,
        system: System,
        condition: Tensor | None = None,
        *,
        keys: SampleKeys | None = None,
    ) -> Transport:
        """Latent states z [B, *event] of x, with log|det dz/dx|.

        Args:
            x: States [B, *event]; nm for molecules.
            system: What they are states of.
            condition: Conditioning values [B, C].
            keys: Noise of a stochastic likelihood rule; the rows are numbered from zero by default.
        """
        scale = self.scale_for(system)
        y = system.space.project(x.double() / scale).to(self.dtype)
        shift = -system.space.dim * scale.log()
        return self._move(y, system, self.t_end, 0.0, condition=condition, keys=keys, shift=shift)

    @override
    def from_latent(
        self,
        z: Tensor,
        system: System,
        condition: Tensor | None = None,
        *,
        keys: SampleKeys | None = None,
        wanted: Callable[[Tensor], Tensor] | None = None,
    ) -> Transport:
        """States x [B, *event] (nm for molecules) of latent z, with log|det dx/dz|; see :meth:`to_latent`.

        ``wanted`` tells which x need the determinant; see :class:`~tbg_core.contracts.likelihood.LikelihoodRule`.
        """
        scale = self.scale_for(system)

        def states(y: Tensor) -> Tensor:
            return system.space.project(y.double()) * scale

        y = system.space.project(z).to(self.dtype)
        shift = system.space.dim * scale.log()
        needed = None if wanted is None else lambda y: wanted(states(y))
        moved = self._move(y, system, 0.0, self.t_end, condition=condition, keys=keys, shift=shift, wanted=needed)
        x = states(moved.x)
        return Transport(x, moved.log_det, moved.log_det_err, moved.status, moved.evaluations)

    @override
    def latent_log_prob(self, z: Tensor, system: System, condition: Tensor | None = None) -> Tensor:
        """Log-density of the prior, in units of the length scale."""
        return self.prior.log_prob(system.space.project(z), system)

    def scale_for(self, system: System) -> Tensor:
        """The length scale, float64: 1 unless it was set for what has no length, points in R^d and logits.

        Raises:
            ConfigError: If it is not known yet.
        """
        if torch.isfinite(self.length_scale):
            return self.length_scale
        if not isinstance(system.space, MeanFree):
            return torch.ones_like(self.length_scale)
        raise ConfigError(
            f"The flow has no length scale, which {system.name} needs.",
            fix="Train it, load a checkpoint, or set length_scale_nm.",
        )

    @override
    def reference(self, integrator: Integrator) -> FlowProposal:
        """The same flow in float64, along paths of another integrator, by the finest quadrature.

        A path that is solved tightly needs hundreds of stages, and a divergence at each would take minutes for a
        molecule; 63 nodes on it left below 1e-4 nats (alanine dipeptide, shipped model, against 127).
        """
        field = copy.deepcopy(self.field)
        config = self.config.model_copy(update={"dtype": "float64"})
        rule = Quadrature(QuadratureConfig(nodes=63))
        exact = FlowProposal(config, prior=self.prior, field=field, integrator=integrator, likelihood=rule)
        exact.length_scale = self.length_scale.clone()
        exact.t_end = self.t_end
        return exact

    def _move(
        self,
        x: Tensor,
        system: System,
        t0: float,
        t1: float,
        *,
        condition: Tensor | None,
        keys: SampleKeys | None,
        shift: Tensor,
        wanted: Callable[[Tensor], Tensor] | None = None,
    ) -> Transport:
        batch = Batch.single(system, len(x), x.device)
        if keys is None:
            keys = SampleKeys.range(0, f"{system.key}/likelihood", 0, len(x))
        if condition is not None:
            condition = condition.to(x)
        moved = self.likelihood.transport(
            self.field,
            self.integrator,
            x,
            batch,
            t0,
            t1,
            keys=keys.child("likelihood"),
            condition=condition,
            wanted=wanted,
        )
        return Transport(moved.x, moved.log_det + shift, moved.log_det_err, moved.status, moved.evaluations)

    def _draws(self, x: Tensor, log_q: Tensor, moved: Transport) -> Draws:
        """Flags samples whose log q is not finite though the integration went well."""
        wrong = ~torch.isfinite(log_q) & (moved.status == Status.OK)
        status = torch.where(wrong, int(Status.NONFINITE), moved.status)
        return Draws(x, log_q, moved.log_det_err, status, moved.evaluations)

    @override
    def _apply(self, fn: Any, recurse: bool = True) -> FlowProposal:
        """Moves devices but keeps the length scale float64 when the network changes its type."""
        scale = self.length_scale
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.length_scale.dtype != scale.dtype:
            self.length_scale = scale.to(self.length_scale.device)
        return self


def _together(states: Sequence[np.ndarray]) -> Tensor:
    """States [n, N, 3] of all molecules, padded with zeros; where they are many, evenly spread ones of each."""
    most = max(1, _POOLED // len(states))
    some = [torch.from_numpy(x[:: max(1, len(x) // most)]) for x in states]
    size = max(x.shape[1] for x in some)
    return torch.cat([F.pad(x, (0, 0, 0, size - x.shape[1])) for x in some])
