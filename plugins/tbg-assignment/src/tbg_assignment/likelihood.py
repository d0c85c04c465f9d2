"""Probabilities of labellings under an assignment flow, with errors, by importance sampling in their decision cones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tbg_assignment.embedding import Embedding, ball_width, labels_of
from tbg_core.contracts.integrator import Status
from tbg_core.randomness import SampleKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from tbg_assignment.system import LabelSystem
    from tbg_core.flows.proposal import FlowProposal

WIDE_SHARE: Final = 0.1
"""Share of the states that are drawn as the paper draws all; the others lie where a flow that has learned arrives."""
WIDE_MASS: Final = 0.65
"""Share of the wide Gaussian inside the largest ball of the cone; the paper takes 0.5 to 0.8."""
BLOCK: Final = 512


@dataclass(frozen=True)
class Likelihoods:
    """Probabilities of K labellings.

    Attributes:
        labels: Labellings [K, n].
        log_p: log of their probabilities [K].
        log_p_err: Standard errors of ``log_p`` [K], by the spread of the importance weights.
        log_q_err: Root mean square of the errors of log q that the likelihood rule estimates, nats.
        ess: Effective number of states of each [K].
        draws: States drawn for each.
    """

    labels: NDArray[np.int64]
    log_p: NDArray[np.float64]
    log_p_err: NDArray[np.float64]
    log_q_err: float
    ess: NDArray[np.float64]
    draws: int

    @property
    def unbiased(self) -> NDArray[np.float64]:
        """log p [K] without what a logarithm of a mean loses to its variance, to second order."""
        return self.log_p + 0.5 * self.log_p_err**2

    @property
    def bits_per_variable(self) -> NDArray[np.float64]:
        """-log2 p / n [K]."""
        bits: NDArray[np.float64] = -self.unbiased / (math.log(2.0) * self.labels.shape[1])
        return bits


def narrow_width(dim: int) -> float:
    """Standard deviation of the narrow part of the proposal; a perfect flow has 1.

    s^2 = 1 + 0.73 / sqrt(dim): the variance of the weights of N(0, s^2 I) against N(0, I), (s^2 - 1)^2 dim / 2, is then
    0.3 in any dimension, and the tails are covered.
    """
    return math.sqrt(1.0 + 0.73 / math.sqrt(dim))


def likelihoods(
    flow: FlowProposal,
    system: LabelSystem,
    labels: NDArray[np.integer],
    *,
    draws: int = 64,
    seed: int = 0,
    soft: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Likelihoods:
    """p(alpha) = integral of q over the states that are rounded to alpha.

    States v are drawn from a mixture of N(v_alpha, s^2 I), 90 % narrow and 10 % wide; p is the mean of
    1[argmax v = alpha] q(v) / rho(v), q the density of the flow. Without rounding (``soft``) a state is labelled at
    random by its softmax, so that the indicator becomes prod_i softmax(v_i)_{alpha_i}.

    Args:
        flow: The model.
        system: What the labels are of.
        labels: Labellings [K, n].
        draws: States for each.
        seed: Of the states; those of a labelling do not depend on the others.
        soft: Without rounding.
        advance: Told how many labellings are done.

    Source: Boll et al., Generative Assignment Flows, 2024, arXiv:2406.04527, with the wide Gaussian alone.
    """
    chosen: NDArray[np.int64] = np.asarray(labels, dtype=np.int64)
    parts = []
    at_once = max(1, BLOCK // draws)
    for some in np.split(chosen, range(at_once, len(chosen), at_once)):
        parts.append(_log_weights(flow, system, some, draws, seed, soft=soft))
        advance(len(some))
    log_w = torch.cat([weights for weights, _ in parts]).numpy()
    squares = float(np.mean(np.concatenate([(error**2).numpy() for _, error in parts])))
    top = np.maximum(log_w.max(axis=1, keepdims=True), -1e300)
    w = np.exp(log_w - top)
    mean = w.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = w.std(axis=1, ddof=1) / (mean * math.sqrt(draws))
        ess = np.where(mean > 0, w.sum(axis=1) ** 2 / (w**2).sum(axis=1), 0.0)
        log_p = np.log(mean) + top[:, 0]
    return Likelihoods(chosen, log_p, np.where(mean > 0, spread, np.inf), math.sqrt(squares), ess, draws)


def _log_weights(
    flow: FlowProposal, system: LabelSystem, labels: NDArray[np.int64], draws: int, seed: int, *, soft: bool
) -> tuple[Tensor, Tensor]:
    """log of indicator q / rho, and the error of log q [K, draws]."""
    space = system.space
    radius = flow.t_end
    centres = Embedding(space, radius, 1.0).centres(torch.from_numpy(labels))
    widths = (narrow_width(space.dim), ball_width(space, radius, WIDE_MASS))
    wide = max(1, round(WIDE_SHARE * draws))
    keys = [SampleKeys.range(seed, f"{system.key}/{'-'.join(map(str, a))}", 0, draws) for a in labels]
    noise = space.project(torch.stack([k.normal(space.event_shape) for k in keys]))
    size = torch.where(torch.arange(draws) < wide, widths[1], widths[0])
    away = size.view(1, -1, 1, 1) * noise
    x = (centres.unsqueeze(1) + away).flatten(0, 1)
    squares = away.flatten(2).square().sum(dim=2)
    log_rho = torch.logsumexp(
        torch.stack(
            [
                math.log(share) - 0.5 * space.dim * math.log(2.0 * math.pi * s**2) - 0.5 * squares / s**2
                for share, s in zip((1.0 - wide / draws, wide / draws), widths, strict=True)
            ]
        ),
        dim=0,
    )
    with torch.no_grad():
        found = flow.log_prob(x, system)
    log_q = torch.where(found.status == Status.OK, found.log_q, -torch.inf).view_as(log_rho)
    return log_q + _log_hit(x, labels, draws, soft=soft) - log_rho, found.log_q_err.view_as(log_rho)


def _log_hit(x: Tensor, labels: NDArray[np.int64], draws: int, *, soft: bool) -> Tensor:
    """log of the probability [K, draws] that a state gets the labelling."""
    wanted = torch.from_numpy(labels).repeat_interleave(draws, dim=0)
    if soft:
        log_p = torch.log_softmax(x, dim=-1).gather(-1, wanted.unsqueeze(-1))
        return log_p.sum(dim=(1, 2)).view(-1, draws)
    hit = (labels_of(x) == wanted).all(dim=1)
    return torch.where(hit, 0.0, -torch.inf).double().view(-1, draws)
