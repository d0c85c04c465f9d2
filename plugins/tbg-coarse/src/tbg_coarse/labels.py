"""Free energies of coarse points by importance sampling of the fine coordinates."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.randomness import SampleKeys

CLIPPED: Final = 3
"""Largest log-weights of a label that are lowered to the next one in its clipped value, as in the paper."""
_ROWS: Final = 512


@dataclass(frozen=True)
class Labels:
    """F of n points, each from M draws of its own.

    Attributes:
        s: Points [n, d].
        free_energy: F = -log <w> [n], kT. exp(-F) is unbiased; F is too large by error^2 / 2 to first order.
        error: Standard error of F [n], by the delta method; at an ESS near one it is a lower bound.
        ess: Effective draws, Kish [n], of M.
        clipped: F with the largest log-weights lowered [n]: less noisy, biased; for comparison only.
    """

    s: np.ndarray
    free_energy: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    clipped: np.ndarray

    def __len__(self) -> int:
        return len(self.s)

    def keep(self, rows: np.ndarray) -> Labels:
        """Some of the labels."""
        return Labels(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def join(self, other: Labels) -> Labels:
        """These and others."""
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return Labels(**{name: np.concatenate(pair) for name, pair in pairs.items()})


def label(proposal: Proposal, target: Target, s: np.ndarray, draws: int, keys: SampleKeys) -> Labels:
    """Labels of points s [n, d], at the cost of n * draws energies.

    Args:
        proposal: Draws states at given s; its log q(x | s) is a density of x per unit of s.
        target: The distribution whose F is wanted.
        s: Points [n, d].
        draws: M.
        keys: n * draws of them.
    """
    condition = torch.from_numpy(np.repeat(s, draws, axis=0))
    log_w = []
    with torch.no_grad():
        for start in range(0, len(keys), _ROWS):
            rows = slice(start, start + _ROWS)
            own = keys.select(rows)
            drawn = proposal.sample_with_log_prob(own, target.system, condition[rows])
            log_w.append((-target.reduced_energy(drawn.x) - drawn.log_q).numpy())
    found = np.concatenate(log_w).reshape(len(s), draws)
    return summarise(s, np.where(np.isfinite(found), found, -np.inf))


def summarise(s: np.ndarray, log_w: np.ndarray) -> Labels:
    """Labels from log-weights [n, M]; a draw without an energy has weight zero and counts."""
    draws = log_w.shape[1]
    ordered = np.sort(log_w, axis=1)
    limit = ordered[:, -1 - CLIPPED][:, None] if draws > CLIPPED else ordered[:, -1:]
    top = ordered[:, -1]
    # Where no draw has an energy F is infinite, and nothing is known of it.
    safe = np.where(np.isfinite(top), top, 0.0)[:, None]
    w = np.exp(log_w - safe)
    total, squares = w.sum(1), (w**2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        free_energy = -safe[:, 0] - np.log(total / draws)
        ess = np.where(total > 0, total**2 / squares, 0.0)
        error = np.where(ess > 0, np.sqrt((draws / ess - 1.0) / max(1, draws - 1)), np.inf)
        clipped = -safe[:, 0] - np.log(np.exp(np.minimum(log_w, limit) - safe).mean(1))
    return Labels(s, free_energy, error, ess, clipped)
