"""A distribution under the Ornstein-Uhlenbeck process, and the processes that run along it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_core.contracts.system import Batch
from tbg_nonequilibrium.clock import alpha_sigma

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.system import System
    from tbg_core.randomness import SampleKeys
    from tbg_nonequilibrium.proposal import DiffusionProposal


class Diffused(ABC):
    """Densities p_t of X_t = alpha X_0 + sigma Z with their scores: in closed form, or as a model has learned them.

    Attributes:
        name: For people.
        event_shape: Shape of a state.
        starts: Earliest time at which the score exists.
        unit: Length that is one unit of the states; nm for molecules.
    """

    name: str
    event_shape: tuple[int, ...]
    starts: float = 0.0
    unit: float = 1.0

    @abstractmethod
    def score(self, t: Tensor, x: Tensor) -> Tensor:
        """grad log p_t(x) [B, *event] at times t [B]."""

    @abstractmethod
    def log_density(self, t: float, x: Tensor) -> Tensor:
        """log p_t(x) [B], float64."""

    @abstractmethod
    def data(self, keys: SampleKeys) -> Tensor:
        """Draws of p_0 [B, *event], float64."""

    def sample(self, keys: SampleKeys, t: float) -> Tensor:
        """Draws of p_t [B, *event], float64: noised data."""
        return self.noised(self.data(keys.child("data")), keys, t)

    def noised(self, x: Tensor, keys: SampleKeys, t: float) -> Tensor:
        """States [B, *event] at time t of data x."""
        if t == 0.0:
            return x
        alpha, sigma = alpha_sigma(torch.tensor(t, dtype=torch.float64))
        return alpha * x + sigma * self.project(keys.child("noise").normal(self.event_shape)).to(x)

    def project(self, x: Tensor) -> Tensor:
        """Projects noise on the space of the states."""
        return x

    def reverse_drift(self, t: Tensor, x: Tensor) -> Tensor:
        """x + 2 grad log p_t(x): what drives generation, per unit of its clock T - t."""
        return x + 2.0 * self.score(t, x)


class LearnedDiffused(Diffused):
    """What a model has learned, in length scales: its score, the densities of its flow, and its own draws as data.

    The flow's densities and the noised draws are those of one process if and only if the score is consistent.
    """

    def __init__(self, model: DiffusionProposal, system: System, name: str = "") -> None:
        self.model, self.system = model, system
        self.name = name or f"diffusion model of {system.name}"
        self.event_shape = system.space.event_shape
        self.unit = float(model.scale_for(system))

    @override
    @torch.no_grad()
    def score(self, t: Tensor, x: Tensor) -> Tensor:
        batch = Batch.single(self.system, len(x), x.device)
        return self.model.score(t, x.to(self.model.dtype), batch).to(x)

    @override
    @torch.no_grad()
    def log_density(self, t: float, x: Tensor) -> Tensor:
        return self.model.log_density(t, x, self.system)

    @override
    @torch.no_grad()
    def data(self, keys: SampleKeys) -> Tensor:
        return self.model.sample_with_log_prob(keys, self.system).x.double() / self.model.scale_for(self.system)

    @override
    def project(self, x: Tensor) -> Tensor:
        return self.system.space.project(x)


Sampling = Callable[["SampleKeys"], "Tensor"]
Density = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True)
class Process:
    """dX = f(t, X) dt + sqrt(2) dW from ``t0`` to ``t1``; with t1 < t0 in the sense of the contract of SDE integrators.

    Attributes:
        name: For people.
        drift: f of times [B] and states.
        t0: Where it begins.
        t1: Where it ends.
        begin: Draws of the density that it begins in.
        log_begin: Logarithm of that density [B].
        log_end: Logarithm of the density that its end is compared with; of the exact marginal for the system's entropy.
        end: Draws of that density, which the conjugate process begins in.
        project: Projects noise on the space of the states.
    """

    name: str
    drift: Callable[[Tensor, Tensor], Tensor]
    t0: float
    t1: float
    begin: Sampling
    log_begin: Density
    log_end: Density
    end: Sampling
    project: Callable[[Tensor], Tensor]

    def force(self, t: Tensor, x: Tensor) -> Tensor:
        """Drift per unit of the process' own clock, whichever way t runs."""
        return math.copysign(1.0, self.t1 - self.t0) * self.drift(t, x)

    def noise(self, t: float, dw: Tensor) -> Tensor:
        """sqrt(2) dw, on the space."""
        return math.sqrt(2.0) * self.project(dw)

    @property
    def conjugate(self) -> Process:
        """The same force with its protocol run backwards, begun in the end of this one: it weighs reversed paths."""
        return Process(
            f"conjugate of {self.name}",
            lambda t, x: -self.drift(t, x),
            self.t1,
            self.t0,
            self.end,
            self.log_end,
            self.log_begin,
            self.begin,
            self.project,
        )


def forward(p: Diffused, time: float) -> Process:
    """From data to noise."""
    return _between(p, "forward", lambda t, x: -x, p.starts, time)  # noqa: ARG005 - a drift


def generative(p: Diffused, time: float) -> Process:
    """From noise to data, by the score."""
    return _between(p, "generative", lambda t, x: -p.reverse_drift(t, x), time, p.starts)


def _between(p: Diffused, name: str, drift: Callable[[Tensor, Tensor], Tensor], t0: float, t1: float) -> Process:
    return Process(
        name,
        drift,
        t0,
        t1,
        lambda keys: p.sample(keys, t0),
        lambda x: p.log_density(t0, x),
        lambda x: p.log_density(t1, x),
        lambda keys: p.sample(keys, t1),
        p.project,
    )
