"""Path weights: the reverse diffusion as an importance sampler on whole paths."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.contracts.sampler import Sampler
from tbg_core.contracts.system import Batch
from tbg_core.errors import ConfigError
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_nonequilibrium.clock import QUARTER
from tbg_nonequilibrium.proposal import DiffusionProposal

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.field import Symmetry
    from tbg_core.contracts.system import System
    from tbg_core.ensemble import Ensemble
    from tbg_core.randomness import SampleKeys
    from tbg_nonequilibrium.config import PathWeightsConfig


class PathWeights(Sampler):
    """Draws x_0 by a chain of reverse steps from N(0, I), weighted by the probability of its whole path.

    A path x_K, ..., x_0 on angles phi_k = k pi / 2K is drawn from R = N(x_K) prod R(x_{k-1} | x_k), and could have been
    noised from the target by exp(-u(x_0)) F with F = prod F(x_k | x_{k-1}). Both kernels are Gaussian and known, so

        w = exp(-u(x_0)) F / R

    has the mean Z, exactly, for any number of steps and whatever the field has learned (Jarzynski's equality for the
    reverse process); -log w is the total entropy production of the path, up to log Z. One velocity for each step, no
    divergence, and the energy of x_0 alone. Weights of single paths vary more than those of the marginal density.

    In the ensemble ``log_q`` is log R - log F of the path, an estimate of the density of x_0 whose inverse is unbiased.
    """

    def __init__(self, config: PathWeightsConfig) -> None:
        self.config = config
        self._draws = ImportanceSampler(ImportanceSamplerConfig())

    @override
    @torch.no_grad()
    def sample_block(self, proposal: Proposal, target: Target, keys: SampleKeys) -> Ensemble:
        if not isinstance(proposal, DiffusionProposal):
            raise ConfigError(
                f"The sampler path-weights reverses diffusions, not {type(proposal).__name__}.",
                fix="Choose the model diffusion, or the sampler importance.",
            )
        drawn = self._draws.sample_block(ReversePaths(proposal, self.config.steps), target, keys)
        statistics = {"velocities_per_sample": float(self.config.steps)}
        return replace(drawn, base_log_weights=drawn.log_weights, provenance={"sampler": statistics})


class ReversePaths(Proposal):
    """The reverse chain of a diffusion on K + 1 angles; ``log_q`` of a draw is log R - log F of its path.

    The mean of R(x_{k-1} | x_k) is E[x_{k-1} | x_k] of the exact process, its variance that of F, which it tends to for
    short steps and for a standard normal target has at any.
    """

    def __init__(self, diffusion: DiffusionProposal, steps: int) -> None:
        super().__init__()
        self.diffusion, self.steps = diffusion, steps
        self.batch_coupled = False

    @property
    @override
    def symmetry(self) -> Symmetry:
        return self.diffusion.symmetry

    @override
    def atom_classes(self, system: System) -> Tensor:
        return self.diffusion.atom_classes(system)

    @override
    def sample_with_log_prob(self, keys: SampleKeys, system: System, condition: Tensor | None = None) -> Draws:
        model, space, K = self.diffusion, system.space, self.steps
        scale = model.scale_for(system)
        y = model.prior.sample(keys.child("prior"), system).to(scale.device)
        log_q = model.prior.log_prob(y, system)
        batch = Batch.single(system, len(y), y.device)
        for k, drawn in zip(range(K, 0, -1), keys.child("path").normals(K, space.event_shape), strict=True):
            z = space.project(drawn.to(y))
            mean, a, width = self._backward(y, k, batch)
            before = mean + width * z
            again = (y - a * before) / width
            log_q = log_q + 0.5 * (again.square() - z.square()).flatten(1).sum(dim=1)
            y = before
        log_q = log_q - space.dim * scale.log()
        status = torch.where(torch.isfinite(log_q), int(Status.OK), int(Status.NONFINITE))
        zeros = torch.zeros_like(log_q)
        return Draws(y * scale, log_q, zeros, status, torch.full_like(status, K))

    @override
    def log_prob(self, x: Tensor, system: System, condition: Tensor | None = None) -> Draws:
        raise ConfigError(
            "A reverse chain has no density of single states, only of whole paths.", fix="Use the model diffusion."
        )

    def _backward(self, y: Tensor, k: int, batch: Batch) -> tuple[Tensor, float, float]:
        """Mean of R [B, *event], and factor and width of F(x_k | x_{k-1}) = N(a x_{k-1}, width^2); float64."""
        (alpha, sigma), (alpha_before, sigma_before) = (
            (math.cos(j * QUARTER / self.steps) if j < self.steps else 0.0, math.sin(j * QUARTER / self.steps))
            for j in (k, k - 1)
        )
        a = alpha / alpha_before
        square = 1.0 - a * a
        tau = y.new_full((len(y),), 1.0 - k / self.steps)
        start = self.diffusion.denoised(tau, y.to(self.diffusion.dtype), batch).to(y)
        mean = (a * sigma_before**2 * y + alpha_before * square * start) / sigma**2
        return mean, a, math.sqrt(square)
