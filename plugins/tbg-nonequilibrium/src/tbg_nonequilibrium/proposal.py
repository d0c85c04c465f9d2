"""A diffusion model as a proposal: its probability flow, with the exact density of that flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from typing_extensions import override

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.prior import Prior
from tbg_core.contracts.system import Batch, MeanFree
from tbg_core.errors import ConfigError
from tbg_core.flows.proposal import FlowProposal
from tbg_core.priors.config import GaussianConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.randomness import SampleKeys
from tbg_nonequilibrium.clock import QUARTER, along, alpha_sigma, alpha_sigma_of_flow, flow_time

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.likelihood import LikelihoodRule
    from tbg_core.contracts.system import System
    from tbg_nonequilibrium.config import DiffusionConfig


class StandardNormal(Prior):
    """What the Ornstein-Uhlenbeck process ends in: N(0, I) on the space of the system, mean-free for molecules."""

    symmetry: ClassVar[Symmetry] = Symmetry("E3", permutation=True)

    def __init__(self) -> None:
        self._vectors, self._molecules = Gaussian(GaussianConfig()), MeanFreeGaussian(MeanFreeGaussianConfig())

    @override
    def sample(self, keys: SampleKeys, system: System) -> Tensor:
        return self._of(system).sample(keys, system)

    @override
    def log_prob(self, x: Tensor, system: System) -> Tensor:
        return self._of(system).log_prob(x, system)

    @override
    def atom_classes(self, system: System) -> Tensor:
        return self._of(system).atom_classes(system)

    @override
    def sample_batch(
        self, batch: Batch, event_shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
    ) -> Tensor:
        return self._of(batch.systems[0]).sample_batch(batch, event_shape, generator, dtype)

    def _of(self, system: System) -> Gaussian | MeanFreeGaussian:
        return self._molecules if isinstance(system.space, MeanFree) else self._vectors


class DiffusionProposal(FlowProposal):
    """The probability flow of the reverse of dX = -X dt + sqrt(2) dW.

    The field is the velocity of that flow on the angle clock (:mod:`tbg_nonequilibrium.clock`),

        v(tau, x) = (pi / 2) (sigma E[X_0 | x] - alpha E[Z | x]),

    which is bounded at both ends; the score follows from it. Any field of the registry can learn it. q is the density
    of the flow itself, begun in N(0, I) at t = infinity: exact, whatever the field has learned.

    Args:
        config: Length scale and type, as of a flow.
        field: v.
        integrator: Solves the flow.
        likelihood: Obtains log q along the way.
    """

    any_path: ClassVar[bool] = False

    def __init__(
        self, config: DiffusionConfig, *, field: VectorField, integrator: Integrator, likelihood: LikelihoodRule
    ) -> None:
        super().__init__(config, prior=StandardNormal(), field=field, integrator=integrator, likelihood=likelihood)

    @override
    def prepare_training(self, states: Tensor) -> None:
        """Sets the length scale, unless the config names one: see :class:`~tbg_nonequilibrium.config.DiffusionConfig`.

        Data on R^d become two units wide. For data as wide as the noise the best linear velocity is zero; a network
        that has found it has nothing to begin from, and stays there for thousands of steps on two symmetric wells.

        Args:
            states: Training data [n, N, 3] in nm, padded atoms exactly zero, or [n, d].
        """
        if self.config.length_scale_nm is not None or states.ndim != 2:
            super().prepare_training(states)
            return
        width = float((states.double() - states.double().mean(dim=0)).square().mean().sqrt())
        self.length_scale.fill_(0.5 * width if width > 0.0 else 1.0)

    def denoised(self, tau: Tensor, y: Tensor, batch: Batch) -> Tensor:
        """E[X_0 | X = y] [B, *event] at tau [B], in length scales."""
        alpha, sigma = alpha_sigma_of_flow(tau)
        velocity: Tensor = self.field(tau.to(y.dtype), y, batch)
        return along(alpha, y) * y + along(sigma / QUARTER, y) * velocity

    def score(self, t: Tensor, y: Tensor, batch: Batch) -> Tensor:
        """grad log p_t(y) [B, *event] at times t > 0 [B] of the process, in length scales.

        From the velocity, x + grad log p = (2 / pi) (alpha / sigma) v; an error of v counts 1 / sigma near t = 0.
        """
        alpha, sigma = alpha_sigma(t.double())
        velocity: Tensor = self.field(flow_time(t.double()).to(y.dtype), y, batch)
        return along(alpha / (sigma * QUARTER), y) * velocity - y

    def log_density(self, t: float, y: Tensor, system: System) -> Tensor:
        """Log-density [B], float64, of the flow at time t of the process, at y [B, *event] in length scales.

        Raises:
            ConfigError: If the likelihood rule gives stochastic estimates.
        """
        if self.likelihood.biased:
            raise ConfigError(
                "entropies need the exact density of the flow.", fix="Choose another likelihood, e.g. quadrature."
            )
        batch = Batch.single(system, len(y), y.device)
        keys = SampleKeys.range(0, "density", 0, len(y))
        tau = float(flow_time(torch.tensor(t, dtype=torch.float64)))
        moved = self.likelihood.transport(self.field, self.integrator, y.to(self.dtype), batch, tau, 0.0, keys=keys)
        return self.prior.log_prob(moved.x, system) + moved.log_det
