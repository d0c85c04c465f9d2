"""Denoising score matching: regression of the velocity of a diffusion's probability flow."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.objective import Objective
from tbg_core.contracts.system import MeanFree
from tbg_core.errors import ConfigError
from tbg_nonequilibrium.clock import QUARTER, along, alpha_sigma_of_flow
from tbg_nonequilibrium.proposal import DiffusionProposal

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import Batch
    from tbg_core.randomness import SampleKeys
    from tbg_nonequilibrium.config import DenoisingScoreMatchingConfig


class DenoisingScoreMatching(Objective):
    """E |v(tau, alpha x_0 + sigma z) - (pi/2) (sigma x_0 - alpha z)|^2 / D with tau uniform on the angle clock.

    As v is a linear function of x and of the score, this is denoising score matching with the weight (pi/2)^2
    tan^2(phi): the error of the score counts little where it is hard to know, next to the data. D is the number of
    coordinates of a row's own system. Sources: Vincent, Neural Comput. 23, 1661 (2011); for the target,
    Salimans and Ho, ICLR 2022.

    All noise of a batch comes from one generator seeded by its keys, as in flow matching.
    """

    def __init__(self, config: DenoisingScoreMatchingConfig) -> None:
        self.config = config

    @override
    def loss(self, proposal: Proposal, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        if not isinstance(proposal, DiffusionProposal):
            raise ConfigError(
                f"Score matching trains diffusions, not {type(proposal).__name__}.",
                fix="Choose the model diffusion, or another objective.",
            )
        # In mixed precision only the network may run in few digits, not the states it is trained on.
        with torch.autocast(x.device.type, enabled=False):
            tau, y, target = self._regression(proposal, x, batch, keys)
        squares: Tensor = (proposal.field(tau, y, batch) - target).flatten(1).square()
        if batch.mask is None:
            plain: Tensor = squares.mean(dim=1)
            return plain.mean()
        real = batch.mask.unsqueeze(-1).expand(x.shape).flatten(1)
        per_row: Tensor = squares.where(real, 0.0).sum(dim=1) / real.sum(dim=1)
        return per_row.mean()

    def _regression(
        self, proposal: DiffusionProposal, x: Tensor, batch: Batch, keys: SampleKeys
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Times tau [B], noisy states and the velocities that made them [B, *event]."""
        digest = hashlib.sha256(f"{keys.seed}\0{keys.stream}\0".encode() + keys.index.tobytes()).digest()
        noise = torch.Generator(x.device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        x0 = (x / proposal.scale_for(batch.systems[0]).to(x.device)).to(proposal.dtype)
        x0 = batch.centre(x0) if isinstance(batch.systems[0].space, MeanFree) else x0
        z = proposal.prior.sample_batch(batch, tuple(x.shape[1:]), noise, proposal.dtype)
        tau = torch.rand(len(x), generator=noise, device=x.device, dtype=torch.float64)
        if self.config.stratified:
            place = torch.randperm(len(x), generator=noise, device=x.device)
            tau = (place + tau) / len(x)
        alpha, sigma = (along(part, x0) for part in alpha_sigma_of_flow(tau))
        return tau.to(x0), alpha * x0 + sigma * z, QUARTER * (sigma * x0 - alpha * z)
