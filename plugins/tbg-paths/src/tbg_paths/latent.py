"""Moves in latent space: noise on the latent states of frames, accepted with the change of volume."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from typing_extensions import override

from tbg_paths.moves import Move, Step, halves
from tbg_paths.state import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_paths.state import Paths, PathSpace


class LatentMove(Move):
    """z -> z' on a window of frames of every chain.

    The ratio is that of the path densities times the change of volume, |det dx/dz| at z' over that at z, for every
    frame that moved, times that of the proposals. A trial whose ends do not lie in A and B is given up before an energy
    is computed.
    """

    first_step: ClassVar[float] = 0.05
    latent: ClassVar[bool] = True

    @abstractmethod
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> slice:
        """The frames that move."""

    @abstractmethod
    def moved(
        self, space: PathSpace, z: Tensor, rows: slice, scale: int, step: Step, normal: Tensor
    ) -> tuple[Tensor, float]:
        """New latent states of the window, and log of q(z | z') / q(z' | z).

        Args:
            space: What paths are about.
            z: Latent states of one path [L, ...]; those of frames near the window are known.
            rows: The window of k frames.
            scale: Index into ``scales``.
            step: How far to go.
            normal: Normal variates [k, ...].
        """

    @override
    def propose(
        self, space: PathSpace, paths: Paths, scale: int, step: Step, generators: Sequence[np.random.Generator]
    ) -> tuple[Paths, Trial]:
        frames, latent = paths.z.shape[1], paths.z.shape[2:]
        windows = [self.window(scale, frames, generator) for generator in generators]
        moved, needed = torch.zeros((2, *paths.u.shape), dtype=torch.bool)
        for chain, rows in enumerate(windows):
            moved[chain, rows] = True
            needed[chain, max(0, rows.start - 2) : rows.stop + 2] = True
        paths = space.with_latent(paths, needed)
        z, proposals = paths.z.clone(), torch.zeros(len(windows), dtype=torch.float64)
        free = slice(None) if space.proposal is None else slice(-space.proposal.rigid_latents or None)
        still = Step(step.size, step.speed[..., free])  # a frame turned by itself is no better path
        for chain, (rows, generator) in enumerate(zip(windows, generators, strict=True)):
            normal = torch.from_numpy(generator.standard_normal((rows.stop - rows.start, *latent)))
            new, proposals[chain] = self.moved(space, paths.z[chain, ..., free], rows, scale, still, normal[..., free])
            z[chain, rows, ..., free] = new
        x, u, g, log_det = paths.x.clone(), paths.u.clone(), paths.g.clone(), paths.log_det.clone()
        x[moved], log_det[moved] = space.from_latent(z[moved])
        fits = space.connects(x)
        wanted = moved & fits.unsqueeze(1)
        u[wanted], g[wanted] = space.energies(x[wanted])
        volume = (log_det - paths.log_det).where(moved, 0.0).sum(dim=1)
        trial = replace(paths, x=x, u=u, g=g, z=z, log_det=log_det)
        log_ratio = space.log_path(trial) - space.log_path(paths) + volume + proposals
        return paths, Trial(trial, log_ratio.where(fits, -torch.inf))


class LatentAll(LatentMove):
    """Independent noise on every frame, in proportion to how fast each latent coordinate moves.

    It costs as much as any, and goes least far.
    """

    name = "latent-all"
    weight: ClassVar[float] = 0.25

    @override
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> slice:
        return slice(0, frames)

    @override
    def moved(
        self, space: PathSpace, z: Tensor, rows: slice, scale: int, step: Step, normal: Tensor
    ) -> tuple[Tensor, float]:
        return z + step.size * _relative(step.speed) * normal, 0.0


class LatentFew(LatentMove):
    """Redraws L/2, L/4, ... 1 neighbouring frames, in part or as a whole, as free motion in latent space would.

    The reference is the density of free motion that has the memory a of the dynamics: r_l = z_{l+1} - z_l -
    a (z_l - z_{l-1}) are independent normal variates, with the variance that the speed of the latent coordinates gives
    them. Given the frames beside the window it is normal, of mean m, and z' = m + c (z - m) + sqrt(1 - c^2) xi with xi
    from it without its mean keeps it as it is for any c: acceptance knows only of what the paths have beyond free
    motion (Cotter et al., Stat. Sci. 28, 424 (2013)). Frames at an end of the path are free on one side.
    """

    name = "latent-few"
    first_step: ClassVar[float] = 1.0

    def __init__(self, frames: int) -> None:
        self.scales = halves(frames)

    @override
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> slice:
        k = int(self.scales[scale])
        first = int(generator.integers(frames - k + 1))
        return slice(first, first + k)

    @override
    def moved(
        self, space: PathSpace, z: Tensor, rows: slice, scale: int, step: Step, normal: Tensor
    ) -> tuple[Tensor, float]:
        low, high = max(0, rows.start - 2), min(len(z), rows.stop + 2)
        near, inside = z[low:high].flatten(1), slice(rows.start - low, rows.stop - low)
        free, factor = _free_motion(high - low, inside.start, inside.stop, space.dynamics.memory, start=low == 0)
        outside = near.clone()
        outside[inside] = 0.0
        mean = -torch.cholesky_solve(free[:, inside].mT @ (free @ outside), factor)
        spread = step.speed.flatten() * (1.0 - space.dynamics.memory**2) ** 0.5
        noise = torch.linalg.solve_triangular(factor.mT, normal.flatten(1), upper=True) * spread
        kept, new = (1.0 + step.size**2) ** -0.5, near.clone()
        new[inside] = mean + kept * (near[inside] - mean) + (1.0 - kept**2) ** 0.5 * noise
        squares = ((free @ new).square() - (free @ near).square()) / spread**2
        return new[inside].view(normal.shape), 0.5 * float(squares.sum())


class LatentGP(LatentMove):
    """A Gaussian process along the whole path with a squared-exponential kernel of L/2, L/4, ... frames.

    Smooth noise changes the drift of a path and not its roughness, so that it can be far larger than independent
    noise, least for the coordinates that are fast. The length is drawn anew for each move; every length has an adapted
    step, so that none has to be chosen.
    """

    name = "latent-gp"
    weight: ClassVar[float] = 0.5

    def __init__(self, frames: int) -> None:
        lengths = [frames / 2**i for i in range(1, frames.bit_length()) if frames / 2**i >= 2.0]
        self.scales = tuple(lengths) or (float(frames),)
        self._factors = [torch.from_numpy(_smooth(frames, length)) for length in self.scales]

    @override
    def window(self, scale: int, frames: int, generator: np.random.Generator) -> slice:
        return slice(0, frames)

    @override
    def moved(
        self, space: PathSpace, z: Tensor, rows: slice, scale: int, step: Step, normal: Tensor
    ) -> tuple[Tensor, float]:
        return z + step.size / _relative(step.speed) * torch.tensordot(self._factors[scale], normal, dims=1), 0.0


def speed_of(paths: Paths) -> Tensor | None:
    """Root-mean-square change of latent coordinates from frame to frame, of frames that are mapped; None if none are.

    From the median: a torsion that passes the seam of its density jumps in latent space.
    """
    pairs = paths.mapped[:, 1:] & paths.mapped[:, :-1]
    change = (paths.z[:, 1:] - paths.z[:, :-1])[pairs].abs()
    change = change[torch.isfinite(change).flatten(1).all(dim=1)]
    return (change.median(dim=0).values / 0.6745).clamp(min=1e-12) if len(change) else None


def _relative(speed: Tensor) -> Tensor:
    """Speeds over their geometric mean."""
    return torch.exp(speed.log() - speed.log().mean())


@lru_cache(maxsize=256)
def _free_motion(frames: int, first: int, stop: int, memory: float, *, start: bool) -> tuple[Tensor, Tensor]:
    """Residuals of free motion that a window [first, stop) of k frames enters, and the window's precision.

    Returns:
        Matrix [n, frames] of the residuals, at the start of a path with the first velocity as one more, and the
        Cholesky factor [k, k] of the precision.
    """
    eye = torch.eye(frames, dtype=torch.float64)
    change = eye[1:] - eye[:-1]
    residual = change[1:] - memory * change[:-1]
    if start:
        residual = torch.cat([(1.0 - memory**2) ** 0.5 * change[:1], residual])
    residual = residual[residual[:, first:stop].any(dim=1)]
    window = residual[:, first:stop]
    return residual, torch.linalg.cholesky(window.mT @ window)


def _smooth(frames: int, length: float) -> np.ndarray:
    """Symmetric square root of exp(-(i - j)^2 / (2 length^2))."""
    apart = np.subtract.outer(np.arange(frames), np.arange(frames))
    values, vectors = np.linalg.eigh(np.exp(-0.5 * (apart / length) ** 2))
    return np.asarray(vectors * np.sqrt(values.clip(min=0.0)) @ vectors.T)
