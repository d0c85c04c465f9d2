"""The pilot: a population that finds schedule, step sizes and scales, and is then thrown away.

What is adapted on the particles that give an estimate biases it; what a pilot has fixed does not, however poor it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from tbg_core.errors import NumericalError
from tbg_core.randomness import generator
from tbg_core.samplers.moves import Kernel, hamiltonian
from tbg_core.samplers.resampling import next_temperature, systematic

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.ensemble import Ensemble
    from tbg_core.randomness import SampleKeys
    from tbg_core.samplers.config import MoveConfig
    from tbg_core.samplers.path import Drive, GeometricPath

_EVENNESS: Final = 0.9
_MOVES: Final = 10
_FIRST_MOVES: Final = 20
_NARROW: Final = 0.25


@dataclass(frozen=True)
class Tuning:
    """What a pilot found, at knots along the path.

    Attributes:
        t: Knots, ascending, the last one is 1; between two of them the weights change equally.
        step: Step size at each.
        scale: Length scale of each atom or coordinate, flat.
        drive: What moves follow.
    """

    t: tuple[float, ...]
    step: tuple[float, ...]
    scale: tuple[float, ...]
    drive: Drive = "target"

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Tuning:
        """The inverse of :meth:`to_dict`."""
        return cls(tuple(data["t"]), tuple(data["step"]), tuple(data["scale"]), data["drive"])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, which keeps every digit."""
        return {"t": list(self.t), "step": list(self.step), "scale": list(self.scale), "drive": self.drive}

    @property
    def narrow(self) -> bool:
        """True if somewhere on the path steps are much smaller than at its end: the drive fits badly there."""
        return min(self.step) < _NARROW * self.step[-1]

    def schedule(self, steps: int) -> list[float]:
        """``steps`` values of t that divide the path as evenly as the knots do; the last one is exactly 1."""
        knots = np.array([0.0, *self.t])
        places = np.arange(1, steps + 1) * (len(self.t) / steps)
        return [*np.interp(places[:-1], np.arange(len(knots)), knots).tolist(), 1.0]

    def kernel(self, t: float, leapfrog: int, shape: torch.Size | tuple[int, ...]) -> Kernel:
        """The move at t for states of a shape."""
        step = float(np.exp(np.interp(t, self.t, np.log(self.step))))
        scale = torch.tensor(self.scale, dtype=torch.float64)
        return Kernel(step, scale.view(-1, *(1,) * (len(shape) - 1)), leapfrog)


def tune(path: GeometricPath, draws: Ensemble, config: MoveConfig, keys: SampleKeys, *, direct: bool = False) -> Tuning:
    """Anneals a population adaptively.

    Args:
        path: From proposal to target.
        draws: Draws of the proposal.
        config: Length of moves and the acceptance aimed at.
        keys: Name the random numbers.
        direct: Go to the target in one step, where no schedule is wanted.

    Raises:
        NumericalError: If not two draws are valid.
    """
    random = generator(keys.seed, keys.stream, "pilot")
    points = path.evaluate(torch.from_numpy(draws.positions[draws.valid]).double(), 0.0)
    points = points.take(np.flatnonzero(points.inside.numpy()))
    if len(points) < 2:
        raise NumericalError(
            f"{len(points)} of {len(draws)} draws of the pilot are valid: there is nothing to anneal.",
            fix="Use a model that is nearer to this system, or a larger pilot: -s sampler.pilot_size=1024.",
        )
    scale = _scales(points.slope_u)
    step = path.space.dim ** (-1.0 / 6.0)
    t = 0.0
    knots: list[float] = []
    steps: list[float] = []
    while t < 1.0:
        ratio = points.log_ratio.numpy()
        after = 1.0 if direct else next_temperature(ratio, t, _EVENNESS)
        points = points.take(systematic((after - t) * ratio, len(draws), random))
        t = after
        for k in range(_MOVES if knots else _FIRST_MOVES):
            kernel = Kernel(step, scale, config.leapfrog_steps)
            points, probability = hamiltonian(path, points, t, kernel, random)
            step *= float(np.exp((float(probability.mean()) - config.acceptance) / np.sqrt(1.0 + k)))
        knots.append(t)
        steps.append(step)
    return Tuning(tuple(knots), tuple(steps), tuple(scale.flatten().tolist()), path.drive)


def _scales(slope: Tensor) -> Tensor:
    """Inverse of the typical force on each atom [N, 1] or coordinate [d], and not much more where there is none."""
    square = slope.square()
    if slope.ndim > 2:
        square = square.mean(-1, keepdim=True)
    typical = square.median(dim=0).values.sqrt()
    scale = 1.0 / typical.clamp_min(1e-12)
    return scale.clamp(max=4.0 * float(scale.median()))
