"""Importance sampling: independent draws, weighted by exp(-u - log q)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.sampler import Sampler
from tbg_core.ensemble.ensemble import Ensemble
from tbg_core.ensemble.validity import Validity
from tbg_core.molecule import Molecule
from tbg_core.molecule.domain import CanonicalDomain

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Draws, Proposal
    from tbg_core.randomness import SampleKeys
    from tbg_core.samplers.config import ImportanceSamplerConfig


class ImportanceSampler(Sampler):
    """Draws from the proposal, folds on the molecule's canonical domain, and evaluates the target there.

    Args:
        config: No options.
    """

    def __init__(self, config: ImportanceSamplerConfig) -> None:
        self.config = config
        self._domains: dict[str, CanonicalDomain] = {}

    @torch.no_grad()
    def sample_block(self, proposal: Proposal, target: Target, keys: SampleKeys) -> Ensemble:
        """See :class:`~tbg_core.contracts.sampler.Sampler`; the energy is evaluated for valid samples only."""
        draws = proposal.sample_with_log_prob(keys, target.system)
        # The stored single-precision positions are the sample: the energy is that of what is on disk.
        x = draws.x.cpu().to(torch.float32).numpy()
        log_q = draws.log_q.cpu().numpy().astype(np.float64)
        status = _status(draws)
        mirrored = None
        if isinstance(target.system, Molecule) and not proposal.folds:
            domain = self._domain(proposal, target.system)
            good = status == Validity.OK
            folded = domain.fold(x[good])
            x[good] = folded.x.astype(np.float32)
            status[good] = folded.status
            mirrored = np.zeros(len(x), dtype=bool)
            mirrored[good] = folded.mirrored
            log_q = log_q + domain.log_orbit
        u = np.full(len(x), np.nan)
        good = status == Validity.OK
        if good.any():
            states = torch.from_numpy(x[good]).double()
            u[good] = target.reduced_energy(states).cpu().numpy()
        status[good & ~np.isfinite(u)] = Validity.NONFINITE_ENERGY
        return Ensemble(
            system=target.system,
            temperature_K=target.state.temperature_K,
            positions=x,
            log_q=log_q,
            reduced_energy=u,
            valid=status == Validity.OK,
            log_q_err=draws.log_q_err.cpu().numpy().astype(np.float64),
            status=status,
            mirrored=mirrored,
        )

    def _domain(self, proposal: Proposal, molecule: Molecule) -> CanonicalDomain:
        if molecule.key not in self._domains:
            classes = proposal.atom_classes(molecule).tolist()
            self._domains[molecule.key] = CanonicalDomain(molecule, classes, proposal.symmetry.reflection)
        return self._domains[molecule.key]


def _status(draws: Draws) -> np.ndarray:
    status = np.full(len(draws.x), int(Validity.OK), dtype=np.int64)
    status[draws.status.cpu().numpy() != Status.OK] = Validity.INTEGRATION_FAILED
    finite = np.isfinite(draws.log_q.cpu().numpy()) & torch.isfinite(draws.x.cpu()).flatten(1).all(1).numpy()
    status[(status == Validity.OK) & ~finite] = Validity.NONFINITE_DENSITY
    return status
