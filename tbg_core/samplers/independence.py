"""Independence Metropolis-Hastings: chains that jump by the proposal and move by the forces."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from typing_extensions import override

from tbg_core.ensemble.chains import autocorrelation_time
from tbg_core.randomness import SampleKeys, generator
from tbg_core.samplers.annealed import MovingSampler, ensemble_of
from tbg_core.samplers.moves import hamiltonian
from tbg_core.samplers.path import GeometricPath
from tbg_core.samplers.resampling import log_mean, systematic

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.ensemble.ensemble import Ensemble
    from tbg_core.samplers.config import IndependenceMetropolisConfig


class IndependenceMetropolis(MovingSampler):
    """A block of B keys is a pool of B draws, and B / sweeps chains that start from draws of the pool by weight.

    A sweep offers each chain a fresh draw y in place of its state x, which is taken with probability
    min(1, w(y) / w(x)) (Tierney, Ann. Stat. 22, 1701 (1994)), then moves it by the forces; its state after the sweep
    is a sample. Every sample of a block has the mean weight of the pool as its weight: as both kinds of steps keep
    the target, weighted sums are unbiased from the first sweep on, and no sweep need be thrown away.

    Args:
        config: Sweeps and moves.
    """

    direct: ClassVar[bool] = True
    config: IndependenceMetropolisConfig

    def __init__(self, config: IndependenceMetropolisConfig) -> None:
        super().__init__(config)

    @override
    @torch.no_grad()
    def sample_block(self, proposal: Proposal, target: Target, keys: SampleKeys) -> Ensemble:
        """The chains of one block, one after the other; see :class:`~tbg_core.contracts.sampler.Sampler`."""
        config, n = self.config, len(keys)
        tuning, path = self.tuning(proposal, target, keys), GeometricPath(proposal, target)
        pool = self.draws.sample_block(proposal, target, keys)
        sweeps = min(config.sweeps, n)
        chains = -(-n // sweeps)
        if not pool.valid.any():
            nothing = np.zeros(0, dtype=np.int64)
            x = torch.from_numpy(pool.positions[:0])
            return ensemble_of(path, x, pool, nothing, log_weights=np.zeros(0), parent=nothing, statistics={})
        random = generator(keys.seed, keys.stream, "independence", int(keys.index[0]))
        parent = systematic(pool.log_weights, chains, random)
        points = path.with_density(path.evaluate(torch.from_numpy(pool.positions[parent]).double(), 1.0))
        states: list[Tensor] = []
        parents: list[np.ndarray] = []
        energies: list[np.ndarray] = []
        accepted: list[float] = []
        jumps = 0.0
        kernel = tuning.kernel(1.0, config.leapfrog_steps, points.x.shape[1:])
        for sweep in range(sweeps):
            offered = SampleKeys(keys.seed, f"{keys.stream}/jump/{sweep}", keys.index[:chains])
            fresh = self.draws.sample_block(proposal, target, offered)
            taken = np.log(random.random(chains)) < fresh.log_weights - points.log_ratio.numpy()
            jumps += float(taken.mean()) / sweeps
            parent = np.where(taken, n + sweep * chains + np.arange(chains), parent)
            x = torch.where(
                torch.from_numpy(taken).view(-1, *(1,) * (points.x.ndim - 1)),
                torch.from_numpy(fresh.positions).double(),
                points.x,
            )
            points = path.evaluate(x, 1.0)
            for _ in range(config.moves_per_sweep):
                points, probability = hamiltonian(path, points, 1.0, kernel, random)
                accepted.append(float(probability.mean()))
            # What is stored has single precision, and the chain goes on from there.
            points = path.with_density(path.evaluate(points.x.float().double(), 1.0))
            states.append(points.x)
            parents.append(parent)
            energies.append(points.u.numpy())
        statistics = {
            "jump_acceptance": jumps,
            "autocorrelation_sweeps": autocorrelation_time(*np.stack(energies, axis=1)),
            "invalid_draws": int(n - pool.valid.sum()),
            "density_evaluations": n * (2 if sweeps > 1 else 1) + path.densities,
        }
        if accepted:
            statistics["acceptance"] = float(np.mean(accepted))
        return ensemble_of(
            path,
            torch.stack(states, dim=1).flatten(0, 1)[:n],
            pool,
            np.arange(n),
            log_weights=np.full(n, log_mean(pool.log_weights, n)),
            parent=np.stack(parents, axis=1).reshape(-1)[:n],
            statistics=statistics,
        )
