"""Shooting: parts of a path are generated anew by the dynamics itself, forwards or backwards in time.

Acceptance is exact at any time step: what is generated forwards cancels from the ratio, and what is generated backwards
enters with its density under both directions.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from typing_extensions import override

from tbg_paths.moves import Move, Step
from tbg_paths.state import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_paths.state import Paths, PathSpace


_IN_STATES: Final = 0.1
"""How much more rarely than the others a frame inside of A or B is chosen: from there a path hardly gets across."""


class OneWay(Move):
    """From a frame drawn at random, everything after it or everything before it is made anew."""

    name = "one-way"

    @override
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: Step, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        frames = paths.x.shape[1]
        ahead = torch.tensor([g.random() < 0.5 for g in generators])
        # Forwards from any frame but the last, backwards from any but the first.
        allowed = _range(paths, (~ahead).long(), frames - ahead.long())
        at = _draw(space, paths, allowed, generators)
        after, before = at.where(ahead, frames), at.where(~ahead, 0)
        trial = generate(space, paths, normal_variates(paths, generators), after, before)
        chosen = _log_choice(space, trial, allowed) - _log_choice(space, paths, allowed)
        return paths, Trial(trial, _log_ratio(space, paths, trial, after, before) + chosen)


class TwoWay(Move):
    """Both ends are made anew from one frame, with a velocity that keeps a share ``memory`` of the old one.

    Without inertia there is no velocity, and with it the new one, v' = c v + sqrt(1 - c^2) xi, is reversible with
    respect to Maxwell's distribution.
    """

    name = "two-way"

    def __init__(self, memory: float) -> None:
        self.memory = memory

    @override
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: Step, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        frames, ones = paths.x.shape[1], torch.ones(len(paths.x), dtype=torch.long)
        allowed = _range(paths, ones, (frames - 1) * ones)
        at, normal = _draw(space, paths, allowed, generators), normal_variates(paths, generators)
        inertial = space.dynamics.inertial
        turned, before = (self._turn(space, paths, at, normal), at - 1) if inertial else (paths, at)
        trial = generate(space, turned, normal, at, before)
        log_ratio = _log_ratio(space, paths, trial, at, before)
        if inertial:
            log_ratio = log_ratio + _log_maxwell(space, paths, at) - _log_maxwell(space, trial, at)
        chosen = _log_choice(space, trial, allowed) - _log_choice(space, paths, allowed)
        return paths, Trial(trial, log_ratio + chosen)

    def _turn(self, space: PathSpace, paths: Paths, at: Tensor, normal: Tensor) -> Paths:
        """Paths with another velocity at frame ``at``, that is, with another frame before it."""
        rows, dynamics = torch.arange(len(at)), space.dynamics
        old = paths.x[rows, at] - paths.x[rows, at - 1]
        fresh = dynamics.h * math.sqrt(1.0 - self.memory**2) * dynamics.medium.thermal.sqrt() * normal[rows, at]
        x, u, g, mapped = paths.x.clone(), paths.u.clone(), paths.g.clone(), paths.mapped.clone()
        x[rows, at - 1] = dynamics.medium.space.project(x[rows, at] - self.memory * old - fresh)
        u[rows, at - 1], g[rows, at - 1] = space.energies(x[rows, at - 1])
        mapped[rows, at - 1] = False
        return replace(paths, x=x, u=u, g=g, mapped=mapped)


def generate(space: PathSpace, paths: Paths, normal: Tensor, after: Tensor, before: Tensor) -> Paths:
    """Paths of which frames are made anew by the dynamics, step by step for all chains at once.

    Args:
        space: The dynamics and the energy.
        paths: The paths.
        normal: Normal variates; those of a frame serve for it [C, L, *event].
        after: Frames later than this one are made forwards [C].
        before: Frames earlier than this one are made backwards [C].
    """
    x, u, g = paths.x.clone(), paths.u.clone(), paths.g.clone()
    frames = x.shape[1]
    for k in range(int(after.min()), frames - 1):
        rows = (after <= k).nonzero()[:, 0]
        previous = x[rows, k - 1] if k > 0 else None
        x[rows, k + 1] = space.dynamics.forward(x[rows, k], previous, g[rows, k], normal[rows, k + 1])
        u[rows, k + 1], g[rows, k + 1] = space.energies(x[rows, k + 1])
    for k in range(int(before.max()), 0, -1):
        rows = (before >= k).nonzero()[:, 0]
        following = x[rows, k + 1] if k + 1 < frames else None
        x[rows, k - 1] = space.dynamics.backward(x[rows, k], following, g[rows, k], normal[rows, k - 1])
        u[rows, k - 1], g[rows, k - 1] = space.energies(x[rows, k - 1])
    index = torch.arange(frames)
    made = (index > after.unsqueeze(1)) | (index < before.unsqueeze(1))
    return replace(paths, x=x, u=u, g=g, mapped=paths.mapped & ~made)


def _range(paths: Paths, first: Tensor, stop: Tensor) -> Tensor:
    """Frames from ``first`` [C] on, before ``stop`` [C]: [C, L]."""
    index = torch.arange(paths.x.shape[1])
    return (index >= first.unsqueeze(1)) & (index < stop.unsqueeze(1))


def _weights(space: PathSpace, paths: Paths, allowed: Tensor) -> Tensor:
    """Weights by which frames are chosen [C, L]."""
    x = paths.x.flatten(0, 1).numpy()
    inside = torch.from_numpy(space.start.contains(x) | space.end.contains(x)).view(allowed.shape)
    return torch.where(inside, _IN_STATES, 1.0).double().where(allowed, 0.0)


def _draw(space: PathSpace, paths: Paths, allowed: Tensor, generators: Sequence[np.random.Generator]) -> Tensor:
    """A frame of every path [C]."""
    shares = _weights(space, paths, allowed).numpy()
    shares /= shares.sum(axis=1, keepdims=True)
    return torch.tensor([int(g.choice(len(p), p=p)) for g, p in zip(generators, shares, strict=True)])


def _log_choice(space: PathSpace, paths: Paths, allowed: Tensor) -> Tensor:
    """Log-probability [C] to choose a frame, less its own log-weight, which it has in the old and the new path."""
    return -_weights(space, paths, allowed).sum(dim=1).log()


def _log_ratio(space: PathSpace, paths: Paths, trial: Paths, after: Tensor, before: Tensor) -> Tensor:
    """log of P(X') q(X | X') / (P(X) q(X' | X)) [C] for parts made as by :func:`generate`."""
    steps = torch.arange(paths.x.shape[1] - 1)
    ahead, back = steps >= after.unsqueeze(1), steps < before.unsqueeze(1)

    def log_weight(of: Paths) -> Tensor:
        forward = space.dynamics.log_forward(of.x, of.g)
        backward = space.dynamics.log_backward(of.x, of.g)
        return forward.masked_fill(ahead, 0.0).sum(dim=1) - of.u[:, 0] - backward.where(back, 0.0).sum(dim=1)

    return (log_weight(trial) - log_weight(paths)).where(space.connects(trial.x), -torch.inf)


def _log_maxwell(space: PathSpace, paths: Paths, at: Tensor) -> Tensor:
    """Log-density of the velocity at frame ``at`` in equilibrium [C]."""
    rows = torch.arange(len(at))
    moved = paths.x[rows, at] - paths.x[rows, at - 1]
    return -0.5 * space.dynamics.medium.square(moved) / space.dynamics.h**2


def normal_variates(paths: Paths, generators: Sequence[np.random.Generator]) -> Tensor:
    """One for every number of a path [C, L, *event], each row from its own generator."""
    return torch.from_numpy(np.stack([g.standard_normal(paths.x.shape[1:]) for g in generators]))
