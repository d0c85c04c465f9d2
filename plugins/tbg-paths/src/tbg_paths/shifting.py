"""Shifting: a path is moved along itself, and what is missing at its end is generated anew.

It changes when the transition happens and not how; other moves are slow at that. That the new end lies in its state, or
may, is known before an energy is computed.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from typing_extensions import override

from tbg_paths.moves import Move, Step, halves
from tbg_paths.shooting import generate, normal_variates
from tbg_paths.state import Paths, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_paths.state import PathSpace


class Shift(Move):
    """Leaves out k frames at one end and adds k by the dynamics at the other; k is drawn from 1 ... L/2."""

    name = "shift"

    @override
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: Step, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        frames = paths.x.shape[1]
        ahead = torch.tensor([g.random() < 0.5 for g in generators])
        count = torch.tensor([1 + int(g.integers(frames // 2)) for g in generators])
        moved = _along(paths, count.where(ahead, -count))
        fits = _keeps_state(space, moved, ahead)
        after = (frames - 1 - count).where(ahead & fits, frames)
        trial = generate(space, moved, normal_variates(paths, generators), after, count.where(~ahead & fits, 0))
        log_ratio = _log_weight(space, trial, count, ahead) - _log_weight(space, paths, count, ~ahead)
        return paths, Trial(trial, log_ratio.where(fits & space.connects(trial.x), -torch.inf))


class LatentShift(Move):
    """Leaves out L/2, L/4, ... 1 frames at one end and adds as many at the other by free motion in latent space.

    Free motion is that of :class:`tbg_paths.latent.LatentFew`; the densities of both directions of time enter. It is
    cheap, and the one latent move that goes far in what is slowest: it is tried most often.
    """

    name = "latent-shift"
    latent: ClassVar[bool] = True
    weight: ClassVar[float] = 2.0

    def __init__(self, frames: int) -> None:
        self.scales = halves(frames)

    @override
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: Step, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        frames, k, memory = paths.x.shape[1], int(self.scales[scale]), space.dynamics.memory
        ahead = torch.tensor([g.random() < 0.5 for g in generators])
        spread = step.speed * (1.0 - memory**2) ** 0.5
        normal = torch.from_numpy(np.stack([g.standard_normal((k, *paths.z.shape[2:])) for g in generators]))
        index = torch.arange(frames)
        near = (index < k + 2) | (index >= frames - k - 2)
        paths = space.with_latent(paths, near.expand_as(paths.mapped))
        moved = _along(paths, torch.where(ahead, k, -k))
        new = (index >= frames - k).where(ahead.unsqueeze(1), index < k)
        z, old = _turned(moved.z, ahead), _turned(paths.z, ahead)
        for i, at in enumerate(range(frames - k, frames)):
            z[:, at] = z[:, at - 1] + memory * (z[:, at - 1] - z[:, at - 2]) + spread * normal[:, i]
        change = old[:, : k + 1] - old[:, 1 : k + 2]
        residual = (change[:, :-1] - memory * change[:, 1:]) / spread
        log_ratio = 0.5 * (normal.square() - residual.square()).flatten(1).sum(dim=1)
        z, fits = _turned(z, ahead), _keeps_state(space, moved, ahead)
        x, u, g, log_det = moved.x.clone(), moved.u.clone(), moved.g.clone(), moved.log_det.clone()
        made = new & fits.unsqueeze(1)
        x[made], log_det[made] = space.from_latent(z[made])
        fits = fits & space.connects(x)
        made &= fits.unsqueeze(1)
        u[made], g[made] = space.energies(x[made])
        trial = Paths(x, u, g, z, log_det, moved.mapped | new)
        gone = (index < k).where(ahead.unsqueeze(1), index >= frames - k)
        volume = log_det.where(new, 0.0).sum(dim=1) - paths.log_det.where(gone, 0.0).sum(dim=1)
        log_ratio = log_ratio + volume + space.log_path(trial) - space.log_path(paths)
        return paths, Trial(trial, log_ratio.where(fits, -torch.inf))


def _turned(z: Tensor, ahead: Tensor) -> Tensor:
    """Latent paths [C, L, ...], time reversed where they are extended backwards."""
    return z.where(ahead.view(-1, *(1,) * (z.ndim - 1)), z.flip(1))


def _keeps_state(space: PathSpace, moved: Paths, ahead: Tensor) -> Tensor:
    """Whether the end that is not made anew lies in its state [C]."""
    first, last = (region.contains(moved.x[:, i].numpy()) for region, i in ((space.start, 0), (space.end, -1)))
    return torch.from_numpy(first).where(ahead, torch.from_numpy(last))


def _along(paths: Paths, by: Tensor) -> Paths:
    """Frames l + by [C] of every path at l; where there are none, its last or first."""
    frames = paths.x.shape[1]
    at, rows = (torch.arange(frames) + by.unsqueeze(1)).clamp(0, frames - 1), torch.arange(len(by)).unsqueeze(1)
    return Paths(*(getattr(paths, field.name)[rows, at] for field in fields(paths)))


def _log_weight(space: PathSpace, of: Paths, count: Tensor, ahead: Tensor) -> Tensor:
    """log of P(X) over the density of generating its last ``count`` frames forwards, else its first ones backwards."""
    steps, frames = torch.arange(of.x.shape[1] - 1), of.x.shape[1]
    forward, backward = space.dynamics.log_forward(of.x, of.g), space.dynamics.log_backward(of.x, of.g)
    made_ahead = ahead.unsqueeze(1) & (steps >= frames - 1 - count.unsqueeze(1))
    made_back = ~ahead.unsqueeze(1) & (steps < count.unsqueeze(1))
    return forward.masked_fill(made_ahead, 0.0).sum(dim=1) - of.u[:, 0] - backward.where(made_back, 0.0).sum(dim=1)
