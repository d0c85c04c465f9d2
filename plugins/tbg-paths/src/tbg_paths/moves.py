"""Moves of the Markov chains over paths: each proposes trials and says how likely they are beside the current paths."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from typing_extensions import override

from tbg_paths.state import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_paths.state import Paths, PathSpace


class Move(ABC):
    """An elementary move of all chains at once.

    Attributes:
        name: As in :data:`tbg_paths.config.MOVES`.
        scales: Variants among which one is drawn each time, e.g. lengths in frames; each has its own step size.
        first_step: Step size to begin with; 0 for moves that have none.
    """

    name: ClassVar[str]
    scales: tuple[float, ...] = (0.0,)
    first_step: ClassVar[float] = 0.0

    @property
    def shares(self) -> np.ndarray:
        """Probability of each scale."""
        return np.full(len(self.scales), 1.0 / len(self.scales))

    @abstractmethod
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: float, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        """The current paths, with latent states that had to be computed, and the trial.

        Args:
            space: What paths are about.
            paths: The current ones.
            scale: Index into ``scales``.
            step: Size of the step.
            generators: One per chain; row i depends on generator i alone.
        """


class LatentMove(Move):
    """z' = z + step * noise on a window of frames.

    The noise is symmetric and its covariance is fixed once the burn-in is over, so that the ratio is that of the path
    densities times the change of volume, |det dx/dz| at z' over that at z, for every frame that moved. A trial whose
    ends do not lie in A and B is given up before an energy is computed.
    """

    first_step = 0.05

    @abstractmethod
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
        """Factor [k, k] of the covariance of the noise along k frames, and the first of them."""

    @override
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: float, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        frames, latent = paths.z.shape[1], paths.z.shape[2:]
        kicks = np.zeros(paths.z.shape)
        moved = torch.zeros(paths.u.shape, dtype=torch.bool)
        for chain, generator in enumerate(generators):
            factor, first = self.window(scale, frames, generator)
            rows = slice(first, first + len(factor))
            kicks[chain, rows] = np.tensordot(factor, generator.standard_normal((len(factor), *latent)), axes=1)
            moved[chain, rows] = True
        if space.proposal is not None and space.proposal.rigid_latents:
            kicks[..., -space.proposal.rigid_latents :] = 0.0  # a frame turned by itself is no better path
        paths = space.with_latent(paths, moved)
        z = paths.z + step * torch.from_numpy(kicks)
        x, u, g, log_det = paths.x.clone(), paths.u.clone(), paths.g.clone(), paths.log_det.clone()
        x[moved], log_det[moved] = space.from_latent(z[moved])
        fits = space.connects(x)
        wanted = moved & fits.unsqueeze(1)
        u[wanted], g[wanted] = space.energies(x[wanted])
        volume = (log_det - paths.log_det).where(moved, 0.0).sum(dim=1)
        trial = replace(paths, x=x, u=u, g=g, z=z, log_det=log_det)
        log_ratio = space.log_path(trial) - space.log_path(paths) + volume
        return paths, Trial(trial, log_ratio.where(fits, -torch.inf))


class LatentAll(LatentMove):
    """Independent noise on every frame."""

    name = "latent-all"

    @override
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
        return np.eye(frames), 0


class LatentFew(LatentMove):
    """Noise on 1, 2, 4, ... neighbouring frames: a Brownian bridge between the frames beside them, which stay."""

    name = "latent-few"

    def __init__(self, frames: int) -> None:
        self.scales = tuple(float(2**i) for i in range(max(1, (frames // 2).bit_length())))
        self._factors = [_bridge(int(k)) for k in self.scales]

    @override
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
        factor = self._factors[scale]
        return factor, int(generator.integers(frames - len(factor) + 1))


class LatentGP(LatentMove):
    """A Gaussian process along the whole path with a squared-exponential kernel of L/2, L/4, ... frames.

    Smooth noise changes the drift of a path and not its roughness, so that it can be far larger than independent
    noise. The length is drawn anew for each move; every length has an adapted step, so that none has to be chosen.
    """

    name = "latent-gp"

    def __init__(self, frames: int) -> None:
        lengths = [frames / 2**i for i in range(1, frames.bit_length()) if frames / 2**i >= 2.0]
        self.scales = tuple(lengths) or (float(frames),)
        self._factors = [_smooth(frames, length) for length in self.scales]

    @override
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> tuple[np.ndarray, int]:
        return self._factors[scale], 0


def _bridge(k: int) -> np.ndarray:
    """Factor of the covariance min(i, j) - i j / (k + 1), i, j = 1 ... k, of largest variance 1."""
    i = np.arange(1, k + 1)
    covariance = np.minimum(i[:, None], i) - i[:, None] * i / (k + 1)
    return np.asarray(np.linalg.cholesky(covariance / covariance.max()))


def _smooth(frames: int, length: float) -> np.ndarray:
    """Symmetric square root of exp(-(i - j)^2 / (2 length^2))."""
    apart = np.subtract.outer(np.arange(frames), np.arange(frames))
    values, vectors = np.linalg.eigh(np.exp(-0.5 * (apart / length) ** 2))
    return np.asarray(vectors * np.sqrt(values.clip(min=0.0)) @ vectors.T)
