"""Dynamics whose paths have an exactly known density, forwards and backwards.

A path is its positions x_1 ... x_L, one frame for each step. Both dynamics below are Markov chains over positions, so
that a path needs no other variables: with inertia the velocity at frame l is v_l = (x_l - x_{l-1}) / h, and v_1, on
which only a Gaussian term depends, is integrated out. Nothing is drawn inside the density. Constants that all paths
share are left out.

Frames are numbered from 0 in code. ``log_forward[k]`` belongs to the step from frame k to k + 1; ``log_backward[k]``
to the generation of frame k from the later ones, by the same dynamics run backwards in time (with the velocity
reversed). It is a proposal for shooting, not the reverse of the chain: acceptance takes the difference into account.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.system import MeanFree, StateSpace
from tbg_core.molecule import Molecule

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_paths.config import PathSettings


@dataclass(frozen=True)
class Medium:
    """What moves: kT/m of every coordinate and the space.

    On the mean-free space the motion of the molecule as a whole is integrated out: of independent kicks on all atoms
    what remains is their part relative to the centre of mass, whatever point the coordinates refer to.

    Attributes:
        thermal: kT/m, nm^2/ps^2, that broadcasts to a state: [N, 1] for molecules, 1 for toys.
        space: The state space.
    """

    thermal: Tensor
    space: StateSpace

    @classmethod
    def of(cls, target: Target) -> Medium:
        """Masses and temperature of a molecule; of anything else kT = m = 1, for its energy is in kT."""
        system = target.system
        if isinstance(system, Molecule):
            masses = torch.tensor(system.masses, dtype=torch.float64).unsqueeze(-1)
            return cls(target.state.kT / masses, system.space)
        return cls(torch.ones((), dtype=torch.float64), system.space)

    def square(self, v: Tensor) -> Tensor:
        """sum of m v^2 / kT relative to the centre of mass [...] of v [..., *event]."""
        if isinstance(self.space, MeanFree):
            mass = 1.0 / self.thermal
            v = v - (mass * v).sum(dim=-2, keepdim=True) / mass.sum()
        squares = v.square() / self.thermal
        return squares.flatten(start_dim=-len(self.space.event_shape)).sum(dim=-1)


class PathDynamics(ABC):
    """A discrete dynamics.

    Args:
        medium: What moves.
        timestep: h, ps.
        friction: gamma, 1/ps.
    """

    inertial: bool
    memory: float = 0.0
    """Share of the velocity that is kept from one frame to the next."""

    def __init__(self, medium: Medium, timestep: float, friction: float) -> None:
        self.medium, self.h, self.gamma = medium, timestep, friction

    @abstractmethod
    def log_forward(self, x: Tensor, g: Tensor) -> Tensor:
        """Log-density of every step [C, L - 1], of paths x [C, L, *event] with gradients g of u."""

    @abstractmethod
    def log_backward(self, x: Tensor, g: Tensor) -> Tensor:
        """Log-density of every frame but the last, as generated from later ones [C, L - 1]."""

    @abstractmethod
    def forward(self, x: Tensor, before: Tensor | None, g: Tensor, normal: Tensor) -> Tensor:
        """The frame after x [C, *event]; ``before`` is the one before x, None at the start of a path."""

    @abstractmethod
    def backward(self, x: Tensor, after: Tensor | None, g: Tensor, normal: Tensor) -> Tensor:
        """The frame before x [C, *event]; ``after`` is the one after x, None at the end of a path."""

    def log_path(self, x: Tensor, u: Tensor, g: Tensor) -> Tensor:
        """Log-density of paths [C]: Boltzmann's for the first frame, then the steps."""
        return self.log_forward(x, g).sum(dim=1) - u[:, 0]

    def _on_space(self, x: Tensor) -> Tensor:
        return self.medium.space.project(x)


class Overdamped(PathDynamics):
    """x_{l+1} = x_l - D h grad u(x_l) + sqrt(2 D h) xi, D = kT / (m gamma): Euler-Maruyama."""

    inertial = False

    @override
    def log_forward(self, x: Tensor, g: Tensor) -> Tensor:
        return self._log_step(x[:, 1:] - self._mean(x[:, :-1], g[:, :-1]))

    @override
    def log_backward(self, x: Tensor, g: Tensor) -> Tensor:
        return self._log_step(x[:, :-1] - self._mean(x[:, 1:], g[:, 1:]))

    @override
    def forward(self, x: Tensor, before: Tensor | None, g: Tensor, normal: Tensor) -> Tensor:
        kick = (2.0 * self.h / self.gamma * self.medium.thermal).sqrt() * normal
        return self._on_space(self._mean(x, g) + kick)

    @override
    def backward(self, x: Tensor, after: Tensor | None, g: Tensor, normal: Tensor) -> Tensor:
        return self.forward(x, None, g, normal)

    def _mean(self, x: Tensor, g: Tensor) -> Tensor:
        return x - self.h / self.gamma * self.medium.thermal * g

    def _log_step(self, residual: Tensor) -> Tensor:
        return -0.25 * self.gamma / self.h * self.medium.square(residual)


class Inertial(PathDynamics):
    """v_{l+1} = a v_l - b (kT/m) grad u(x_l) + sqrt((kT/m)(1 - a^2)) xi and x_{l+1} = x_l + h v_{l+1}.

    a = exp(-gamma h), b = (1 - a) / gamma. With v_1 from Maxwell's distribution and integrated out, v_2 is normal with
    mean -b (kT/m) grad u(x_1) and variance kT/m. Backwards the velocity is reversed, v_l = a v_{l+1} + b (kT/m)
    grad u(x_l) + ..., and the last velocity is Maxwell's.
    """

    inertial = True

    def __init__(self, medium: Medium, timestep: float, friction: float) -> None:
        super().__init__(medium, timestep, friction)
        self.a = self.memory = math.exp(-friction * timestep)
        self.b = -math.expm1(-friction * timestep) / friction
        self.spread = -math.expm1(-2.0 * friction * timestep)

    def velocities(self, x: Tensor) -> Tensor:
        """v at frames 1 ... L - 1 [C, L - 1, *event]."""
        return (x[:, 1:] - x[:, :-1]) / self.h

    @override
    def log_forward(self, x: Tensor, g: Tensor) -> Tensor:
        v, push = self.velocities(x), self._push(g)
        first = self.medium.square(v[:, :1] + push[:, :1])
        rest = self.medium.square(v[:, 1:] - self.a * v[:, :-1] + push[:, 1:-1]) / self.spread
        return -0.5 * torch.cat([first, rest], dim=1)

    @override
    def log_backward(self, x: Tensor, g: Tensor) -> Tensor:
        v, push = self.velocities(x), self._push(g)
        rest = self.medium.square(v[:, :-1] - self.a * v[:, 1:] - push[:, 1:-1]) / self.spread
        last = self.medium.square(v[:, -1:])
        return -0.5 * torch.cat([rest, last], dim=1)

    @override
    def forward(self, x: Tensor, before: Tensor | None, g: Tensor, normal: Tensor) -> Tensor:
        kick = self.medium.thermal.sqrt() * normal
        if before is not None:
            kick = self.a * (x - before) / self.h + math.sqrt(self.spread) * kick
        return self._on_space(x + self.h * (kick - self._push(g)))

    @override
    def backward(self, x: Tensor, after: Tensor | None, g: Tensor, normal: Tensor) -> Tensor:
        v = self.medium.thermal.sqrt() * normal
        if after is not None:
            v = self.a * (after - x) / self.h + self._push(g) + math.sqrt(self.spread) * v
        return self._on_space(x - self.h * v)

    def _push(self, g: Tensor) -> Tensor:
        return self.b * self.medium.thermal * g


def make_dynamics(settings: PathSettings, target: Target) -> PathDynamics:
    """The dynamics that the settings name."""
    kind = Inertial if settings.dynamics == "langevin" else Overdamped
    return kind(Medium.of(target), settings.timestep, settings.friction)
