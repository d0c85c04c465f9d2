"""The potential of generation, U(x, t) = -|x|^2 / 2 - 2 ln p_t(x): when its minimum splits, and when it opens.

For the mixture of N(mu, s^2) and N(-mu, s^2) these times are known (Yu and Huang, Phys. Rev. E 111, 014111 (2025)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_nonequilibrium.process import Diffused

Phase = Literal["no breaking", "stable breaking", "unstable breaking"]

_EARLIEST: Final = 1e-3
_BISECTIONS: Final = 50


def speciation_time(mu: float, s: float) -> float:
    """Time at which the curvature of U at the origin vanishes; not positive if it never does.

    With y = exp(2t), U''(0) = 0 is y^2 - 2 mu^2 y - (s^2 - 1)^2 = 0, and t half the logarithm of its positive root.
    """
    root = mu**2 + math.hypot(s**2 - 1.0, mu**2)
    return 0.5 * math.log(root) if root > 0.0 else -math.inf


def instability_time(s: float) -> float:
    """Time before which U falls towards infinity: v_t > 2 there; not positive unless s^2 > 2."""
    return 0.5 * math.log(s**2 - 1.0) if s**2 > 1.0 else -math.inf


def phase(mu: float, s: float) -> Phase:
    """What happens to the symmetry at positive times."""
    if instability_time(s) > 0.0:
        return "unstable breaking"
    return "stable breaking" if speciation_time(mu, s) > 0.0 else "no breaking"


def potential(p: Diffused, t: float, x: Tensor) -> Tensor:
    """U(x, t) [B], of which the reverse drift is minus the gradient."""
    return -0.5 * x.double().flatten(1).square().sum(dim=1) - 2.0 * p.log_density(t, x)


def between(data: Tensor, points: int = 41) -> Tensor:
    """Points [points, *event] on the principal axis of data [n, *event]: two standard deviations to either side."""
    flat = data.double().flatten(1)
    centre = flat.mean(dim=0)
    spread, axes = torch.linalg.eigh((flat - centre).T.cov().reshape(flat.shape[1], -1))
    places = torch.linspace(-2.0, 2.0, points, dtype=torch.float64).unsqueeze(1)
    found: Tensor = centre + places * spread[-1].sqrt() * axes[:, -1]
    return found.view(points, *data.shape[1:])


def lowest_curvature(p: Diffused, t: float, x: Tensor) -> float:
    """Smallest eigenvalue of the Hessian of U at any of the states x [m, *event]: minus that of the drift's Jacobian.

    Central differences of the drift, which also serve networks that are evaluated without gradients.
    """
    flat = x.double().flatten(1)
    (count, size), h = flat.shape, 1e-3
    shifts = h * torch.eye(size, dtype=torch.float64)
    points = torch.stack([flat.unsqueeze(1) + shifts, flat.unsqueeze(1) - shifts]).view(-1, *x.shape[1:])
    drift = p.reverse_drift(points.new_full((len(points),), t), points).view(2, count, size, size)
    jacobian = (drift[0] - drift[1]) / (2.0 * h)
    return -float(torch.linalg.eigvalsh(0.5 * (jacobian + jacobian.transpose(1, 2)))[:, -1].max())


def measured_speciation(p: Diffused, origins: Tensor, latest: float = 6.0, points: int = 120) -> float:
    """Latest time at which U stops being convex at one of exp(-t) ``origins``; nan if it is convex down to t = 0.001.

    For the symmetric mixture that is at the middle, and the curvature's sign there what defines the speciation.

    Args:
        p: The process; of a model, as it has learned it.
        origins: Points [m, *event] between the parts of the data, e.g. of :func:`between`.
        latest: Where to begin.
        points: Times looked at, equally spaced in the logarithm, before bisection.
    """

    def curvature(t: float) -> float:
        return lowest_curvature(p, t, math.exp(-t) * origins.double())

    grid = torch.logspace(math.log10(latest), math.log10(_EARLIEST), points, dtype=torch.float64).tolist()
    late = grid[0]
    for t in grid:
        if curvature(t) < 0.0:
            early = t
            break
        late = t
    else:
        return float("nan")
    for _ in range(_BISECTIONS):
        middle = 0.5 * (early + late)
        early, late = (middle, late) if curvature(middle) < 0.0 else (early, middle)
    return float(0.5 * (early + late))
