"""Annealed importance sampling and sequential Monte Carlo from a proposal to the target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from typing_extensions import override

from tbg_core.randomness import generator
from tbg_core.samplers.annealed import MovingSampler, ensemble_of
from tbg_core.samplers.moves import hamiltonian
from tbg_core.samplers.path import GeometricPath
from tbg_core.samplers.resampling import evenness, log_mean, systematic

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.ensemble.ensemble import Ensemble
    from tbg_core.randomness import SampleKeys
    from tbg_core.samplers.config import SMCConfig


class SequentialMonteCarlo(MovingSampler):
    """Particles follow log pi_t = (1 - t) log q - t u from t = 0 to t = 1 exactly.

    Between t and t' the weight of a particle gains (t' - t) (-u - log q); then the population is resampled where its
    weights have become uneven, and every particle moves by a kernel that keeps pi_t'. Schedule and step sizes come
    from a pilot and are fixed, so that the mean weight of a population is an unbiased estimate of Z (Del Moral,
    Doucet and Jasra, J. R. Stat. Soc. B 68, 411 (2006)); whether to resample may depend on the weights. Without
    resampling this is annealed importance sampling (Neal, Stat. Comput. 11, 125 (2001)): particles stay independent.

    Args:
        config: Steps, moves, resampling.
    """

    config: SMCConfig

    def __init__(self, config: SMCConfig) -> None:
        super().__init__(config, config.drive)

    @override
    @torch.no_grad()
    def sample_block(self, proposal: Proposal, target: Target, keys: SampleKeys) -> Ensemble:
        """One population; see :class:`~tbg_core.contracts.sampler.Sampler`."""
        config, tuning, n = self.config, self.tuning(proposal, target, keys), len(keys)
        path, draws = GeometricPath(proposal, target, tuning.drive), self.draws.sample_block(proposal, target, keys)
        random = generator(keys.seed, keys.stream, "smc", int(keys.index[0]))
        row = np.flatnonzero(draws.valid)
        points = path.evaluate(torch.from_numpy(draws.positions[row]).double(), 0.0)
        alive = np.flatnonzero(points.inside.numpy())
        points, row = points.take(alive), row[alive]
        parent, log_w = row, np.zeros(len(row))
        previous, resampled, accepted = 0.0, 0, [1.0]
        for t in tuning.schedule(config.steps) if len(row) else ():
            log_w = log_w + (t - previous) * points.log_ratio.numpy()
            previous = t
            if evenness(log_w) * len(log_w) / n < config.resample_below:
                chosen = systematic(log_w, n, random)
                points, parent = points.take(chosen), parent[chosen]
                log_w, row = np.full(n, log_mean(log_w, n)), np.arange(n)
                resampled += 1
            kernel = tuning.kernel(t, config.leapfrog_steps, points.x.shape[1:])
            for _ in range(config.moves_per_step):
                points, probability = hamiltonian(path, points, t, kernel, random)
                accepted.append(float(probability.mean()))
        statistics = {
            "acceptance": float(np.mean(accepted[1:] or accepted)),
            "acceptance_lowest": min(accepted),
            "resamplings": resampled,
            "invalid_draws": int(n - draws.valid.sum()),
            "density_evaluations": n + path.densities,
        }
        ensemble = ensemble_of(path, points.x, draws, row, log_weights=log_w, parent=parent, statistics=statistics)
        if draws.mirrored is not None:
            ensemble = replace(ensemble, mirrored=draws.mirrored[ensemble.parent])
        # Particles that were never resampled are independent of each other.
        return ensemble if config.resample_below else replace(ensemble, population=None, parent=None)
