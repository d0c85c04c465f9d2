"""Labellings among logits: the density that a perfect flow has around each of them, cut to its decision cone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.special import log_ndtr
from scipy.stats import chi2

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tbg_core.contracts.system import Logits

_NODES: Final = 4001
_REACH: Final = 12.0


def directions(classes: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Tensor:
    """v^_a [c, c]: unit vectors from the origin to the labels among mean-free logits of one variable.

    The logarithm of a smoothed one-hot vector has this direction whatever the smoothing.
    """
    one_hot = torch.eye(classes, dtype=dtype, device=device)
    return (one_hot - 1.0 / classes) * math.sqrt(classes / (classes - 1.0))


def gain(classes: int) -> float:
    """sqrt(c / (c - 1)): <v^_a, v> = gain * v_a for mean-free v, and the gap that v^_a leaves to the other logits."""
    return math.sqrt(classes / (classes - 1.0))


def labels_of(x: Tensor) -> Tensor:
    """The labelling of each state: the class of the largest logit of each variable [B, n], int64."""
    return x.argmax(dim=-1)


def ball_width(space: Logits, radius: float, mass: float) -> float:
    """Standard deviation at which a share ``mass`` of a Gaussian lies in the largest ball of the decision cone.

    The proposal of the paper (section on likelihoods): r / sqrt(chi2 quantile_{c-1}(mass^(1/n))), r the radius of that
    ball.
    """
    ball = radius * math.sqrt(space.classes / (2.0 * (space.classes - 1.0)))
    return float(ball / math.sqrt(chi2.ppf(mass ** (1.0 / space.variables), space.classes - 1)))


@dataclass(frozen=True)
class Embedding:
    """rho(v | alpha): independent for each variable i, N(radius * v^_{alpha_i}, width^2 I) given argmax v_i = alpha_i.

    With radius T and width 1 it is, up to the cut, what flow matching on straight lines t v^ + v_0 with v_0 ~ N(0, I)
    arrives at in time T. By symmetry all cones have one probability, an integral over one variable.

    Attributes:
        space: The logits.
        radius: Distance of the centres from the origin.
        width: Standard deviation about them.
    """

    space: Logits
    radius: float
    width: float

    @property
    def log_cone(self) -> float:
        """log P(argmax = alpha) of the Gaussian that is not cut, for one variable."""
        return _log_cone(self.space.classes, self.radius / self.width)

    def centres(self, labels: Tensor) -> Tensor:
        """Means [B, n, c] of the Gaussians of labellings [B, n], float64."""
        return self.radius * directions(self.space.classes, device=labels.device)[labels]

    def log_density(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """log rho(x | alpha(x)) [B] and its gradient [B, n, c], for states x on the space, float64."""
        away = self.space.project(x.double()) - self.centres(labels_of(x))
        per_variable = 0.5 * (self.space.classes - 1) * math.log(2.0 * math.pi * self.width**2) + self.log_cone
        squares = away.flatten(1).square().sum(dim=1) / self.width**2
        return -0.5 * squares - self.space.variables * per_variable, -away / self.width**2

    def draw(self, labels: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.float64]:
        """A state [B, n, c] for each of the labellings [B, n], exactly: what falls out of its cone is drawn again."""
        flat = np.asarray(labels, dtype=np.int64).reshape(-1)
        c = self.space.classes
        means = self.radius * directions(c).numpy()
        states = np.empty((len(flat), c))
        left = np.arange(len(flat))
        while len(left):
            noise = rng.standard_normal((len(left), c))
            states[left] = means[flat[left]] + self.width * (noise - noise.mean(axis=1, keepdims=True))
            left = left[states[left].argmax(axis=1) != flat[left]]
        return states.reshape(*np.shape(labels), c)


@lru_cache(maxsize=64)
def _log_cone(classes: int, ratio: float) -> float:
    """log of the integral of phi(g) Phi(g + k)^(c-1), k = ratio * gain: c - 1 Gaussians stay below another one.

    The trapezoidal rule converges exponentially here; the probability of the complement keeps its digits.
    """
    g = np.linspace(-_REACH, _REACH, _NODES)
    phi = np.exp(-0.5 * g**2) / math.sqrt(2.0 * math.pi)
    out = -np.expm1((classes - 1) * log_ndtr(g + ratio * gain(classes)))
    return math.log1p(-float(np.sum(phi * out) * (g[1] - g[0])))
