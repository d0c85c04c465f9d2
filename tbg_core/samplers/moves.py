"""Moves that keep a density of the path: Hamiltonian Monte Carlo, of which MALA is the case of one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from tbg_core.samplers.path import GeometricPath, Points


class Kernel(NamedTuple):
    """The settings of a move.

    Attributes:
        step: Step size in units of ``scale``.
        scale: Length scale of each atom [N, 1] or coordinate [d]; the inverse root of a mass.
        leapfrog: Steps of a trajectory; 1 is the Metropolis-adjusted Langevin algorithm (MALA).
    """

    step: float
    scale: Tensor
    leapfrog: int


def hamiltonian(
    path: GeometricPath, points: Points, t: float, kernel: Kernel, random: np.random.Generator
) -> tuple[Points, Tensor]:
    """One move of every point, reversible with respect to pi_t.

    A trajectory with fresh momenta is followed by the leapfrog rule along the drive of the path and accepted by
    pi_t itself: leapfrog steps along any field that depends on x alone are reversible and keep volume, so that the
    drive decides how often moves are accepted, never what is sampled.

    Args:
        path: The densities.
        points: Where to start; inside of the support.
        t: Which density.
        kernel: Step size, scales, length.
        random: Source of all random numbers.

    Returns:
        The points after the move, and the probability with which each was accepted [B].
    """
    # Trajectories of one length would turn a harmonic mode by one angle for ever, and bring some of them back.
    h, scale = kernel.step * random.uniform(0.6, 1.2), kernel.scale
    p = torch.from_numpy(random.standard_normal(points.x.shape))
    kinetic = 0.5 * p.square().flatten(1).sum(1)
    new = points
    for k in range(kernel.leapfrog):
        p = p + (0.5 * h) * scale * path.slope(new, t)
        new = path.evaluate(new.x + h * scale * p, t, within=k < kernel.leapfrog - 1)
        p = p + (0.5 * h) * scale * path.slope(new, t)
    change = path.log_density(new, t) - path.log_density(points, t) + kinetic - 0.5 * p.square().flatten(1).sum(1)
    probability = change.clamp(max=0.0).exp().nan_to_num(0.0)
    accepted = torch.from_numpy(random.random(len(points))) < probability
    return points.replaced(accepted, new), probability
