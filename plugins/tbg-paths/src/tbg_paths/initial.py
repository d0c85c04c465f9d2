"""First paths: straight lines in latent space between draws of the proposal in A and in B."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tbg_core.contracts.system import MeanFree
from tbg_core.errors import NumericalError
from tbg_core.randomness import SampleKeys, generator
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_paths.state import Paths

_KNOTS: Final = 32
"""Frames of a first path that are carried out of latent space; the others lie on straight lines between them."""
_TOO_HOT: Final = 5.0
"""How many median deviations (and kT) above the median the mean energy of a relaxed path may lie."""

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.proposal import Proposal
    from tbg_core.ensemble import Ensemble
    from tbg_paths.regions import Region
    from tbg_paths.state import PathSpace


def first_paths(
    space: PathSpace, proposal: Proposal, *, chains: int, frames: int, draws: int, block: int, seed: int
) -> Tensor:
    """Frames of a path for every chain [C, L, *event]: its ends are drawn by weight among the draws in A and in B.

    Where the proposal has no latent space the lines are straight in the coordinates. Such paths are not typical of the
    dynamics: the burn-in makes them so.

    Raises:
        NumericalError: If no valid draw lies in one of the states.
    """
    target = space.target
    sampler, stream = ImportanceSampler(ImportanceSamplerConfig()), f"{target.system.key}/paths/draws"
    parts = [
        sampler.sample_block(proposal, target, SampleKeys.range(seed, stream, first, min(first + block, draws)))
        for first in range(0, draws, block)
    ]
    choose = generator(seed, target.system.key, "paths", "ends")
    x0, x1 = (_ends(parts, region, chains, choose) for region in (space.start, space.end))
    if isinstance(target.system.space, MeanFree):
        x1 = np.stack([_turned_onto(b, a) for a, b in zip(x0, x1, strict=True)])
    ends = [target.system.space.project(torch.from_numpy(x.astype(np.float64))) for x in (x0, x1)]
    if space.proposal is None:
        return _line(ends[0], ends[1], frames)
    knots = min(frames, _KNOTS)
    z = _line(space.to_latent(ends[0])[0], space.to_latent(ends[1])[0], knots)
    x = space.from_latent(z.flatten(0, 1))[0].view(chains, knots, *ends[0].shape[1:])
    x = _through(x, frames)
    x[:, 0], x[:, -1] = ends  # the map there and back leaves them where they are but for rounding
    if not torch.isfinite(x).all():
        raise NumericalError("the latent line between A and B leaves the range of the model.", fix="Train it longer.")
    return x


def typical(paths: Paths) -> tuple[Paths, int]:
    """Relaxed paths, with those that are still far too hot replaced by others, and how many these were.

    With inertia heat leaves a path by friction alone: what begins hundreds of kT too high stays so for thousands of
    moves, for every shot inherits it. Too hot: a mean energy far above the median of the chains.
    """
    energy = paths.u.mean(dim=1)
    median = energy.median()
    limit = median + _TOO_HOT * ((energy - median).abs().median() + 1.0)
    hot = torch.nan_to_num(energy, nan=torch.inf) > limit
    others, rows = (~hot).nonzero()[:, 0], torch.arange(len(hot))
    rows[hot] = others[torch.arange(int(hot.sum())) % len(others)]
    return Paths(*(getattr(paths, field.name)[rows] for field in fields(paths))), int(hot.sum())


def _ends(parts: list[Ensemble], region: Region, chains: int, choose: np.random.Generator) -> np.ndarray:
    x = np.concatenate([part.positions[part.valid] for part in parts])
    log_w = np.concatenate([part.log_weights[part.valid] for part in parts])
    inside = np.flatnonzero(region.contains(x) & np.isfinite(log_w)) if len(x) else np.zeros(0, dtype=int)
    if not len(inside):
        raise NumericalError(
            f"none of {sum(part.attempted for part in parts)} draws of the model ({len(x)} valid) lies in the state "
            f"{region.text!r}.",
            fix="Widen the state, raise --draws, or use a model that knows it.",
        )
    w = np.exp(log_w[inside] - log_w[inside].max())
    return np.asarray(x[inside[choose.choice(len(inside), size=chains, p=w / w.sum())]])


def _line(a: Tensor, b: Tensor, frames: int) -> Tensor:
    """Straight lines [C, frames, ...] from a [C, ...] to b."""
    t = torch.linspace(0.0, 1.0, frames, dtype=torch.float64).view(1, frames, *(1,) * (a.ndim - 1))
    return (1.0 - t) * a.unsqueeze(1) + t * b.unsqueeze(1)


def _through(knots: Tensor, frames: int) -> Tensor:
    """Paths [C, frames, ...] through knots [C, K, ...], straight in between."""
    at = torch.linspace(0.0, knots.shape[1] - 1.0, frames, dtype=torch.float64)
    low = at.long().clamp(max=knots.shape[1] - 2)
    part = (at - low).view(1, frames, *(1,) * (knots.ndim - 2))
    return (1.0 - part) * knots[:, low] + part * knots[:, low + 1]


def _turned_onto(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Conformation x [N, 3] turned, not mirrored, so that it is as near to the reference as can be (Kabsch)."""
    a, b = x - x.mean(axis=0), reference - reference.mean(axis=0)
    left, _, right = np.linalg.svd(a.T @ b)
    left[:, -1] *= np.sign(np.linalg.det(left @ right))
    return np.asarray(a @ left @ right)
