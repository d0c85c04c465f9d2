"""Rates of ensembles: entropy production pi, entropy flux phi, and the change of the system's entropy, pi - phi.

With the probability current J = f p - grad p of a process of force f, pi is the integral of |J|^2 / p and phi that of
f . J. In the forward process, f = -x, the current is -(x + grad log p) p. Its reversal has the force x + 2 grad log p
and the opposite current: the same production, but another flux.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tbg_nonequilibrium.process import Diffused

POINTS = {1: 4001, 2: 401}
"""Points of the grid along each axis, by dimension; the sum over a smooth density converges exponentially."""


@dataclass(frozen=True)
class Rates:
    """Rates at times of the forward process, each [K], per unit of time; errors are zero for a quadrature.

    Attributes:
        times: Times.
        production: pi, of both processes.
        flux: phi of the forward process.
        flux_reverse: phi of its reversal, per unit of the reverse clock.
        entropy: -<ln p> of the system.
        production_err: Standard error.
        flux_err: Standard error.
        flux_reverse_err: Standard error.
        entropy_err: Standard error.
    """

    times: NDArray[np.float64]
    production: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_reverse: NDArray[np.float64]
    entropy: NDArray[np.float64]
    production_err: NDArray[np.float64]
    flux_err: NDArray[np.float64]
    flux_reverse_err: NDArray[np.float64]
    entropy_err: NDArray[np.float64]

    @property
    def flux_turns(self) -> float:
        """Latest time of the forward process at which the reverse flux changes its sign; nan if it does not."""
        signs = np.flatnonzero(self.flux_reverse[:-1] * self.flux_reverse[1:] < 0.0)
        if not len(signs):
            return float("nan")
        i = int(signs[np.argmax(self.times[signs])])
        a, b = self.flux_reverse[i], self.flux_reverse[i + 1]
        return float(self.times[i] + (self.times[i + 1] - self.times[i]) * a / (a - b))


def rates_by_quadrature(p: Diffused, times: Sequence[float], reach: float = 12.0) -> Rates:
    """Integrals over a grid, for densities in one or two dimensions.

    Args:
        p: The densities.
        times: Times of the forward process.
        reach: The grid covers this distance from the origin along each axis, and must cover the densities.

    Raises:
        UnsupportedSystemError: In more dimensions.
    """
    (dim,) = p.event_shape
    if dim not in POINTS:
        raise UnsupportedSystemError(
            f"rates are integrated in one or two dimensions, not {dim}.", fix="Take them from trajectories."
        )
    axis = torch.linspace(-reach, reach, POINTS[dim], dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * dim).view(-1, dim)
    cell = float(axis[1] - axis[0]) ** dim

    def at(t: float) -> NDArray[np.float64]:
        log_p = p.log_density(t, grid)
        mass = (cell * log_p.exp()).double()
        # Where p vanishes in float64, so do all integrands.
        inside = mass > 0.0
        terms = _terms(p, t, grid[inside], log_p[inside])
        return (terms * mass[inside]).sum(dim=1).numpy()

    values = np.stack([at(float(t)) for t in times], axis=1)
    return Rates(np.asarray(times, dtype=np.float64), *values, *np.zeros_like(values))


def rates_of_samples(p: Diffused, times: Sequence[float], states: Sequence[Tensor]) -> Rates:
    """Averages over states of the process.

    Args:
        p: The scores and densities.
        times: Times of the forward process.
        states: States [n, *event] at each of them.
    """
    means, errors = [], []
    for t, x in zip(times, states, strict=True):
        terms = _terms(p, float(t), x, p.log_density(float(t), x))
        means.append(terms.mean(dim=1).numpy())
        errors.append((terms.std(dim=1) / len(x) ** 0.5).numpy())
    return Rates(np.asarray(times, dtype=np.float64), *np.stack(means, axis=1), *np.stack(errors, axis=1))


@torch.no_grad()
def _terms(p: Diffused, t: float, x: Tensor, log_p: Tensor) -> Tensor:
    """Integrands of pi, phi, phi of the reversal and the entropy, over p [4, B]."""
    score = p.score(x.new_full((len(x),), t), x)
    current = (x + score).flatten(1).double()
    force = (x + 2.0 * score).flatten(1).double()
    production = current.square().sum(dim=1)
    flux = (x.flatten(1).double() * current).sum(dim=1)
    return torch.stack([production, flux, (force * current).sum(dim=1), -log_p.double()])
