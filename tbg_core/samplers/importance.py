"""Importance sampling: independent draws, weighted by exp(-u - log q)."""

from __future__ import annotations

from functools import partial
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
    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
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
        """See :class:`~tbg_core.contracts.sampler.Sampler`; density and energy are evaluated for valid samples only."""
        domain = None
        if isinstance(target.system, Molecule) and not proposal.folds:
            domain = self._domain(proposal, target.system)
            draws = proposal.sample_where(keys, target.system, partial(_can_be_folded, domain))
        else:
            draws = proposal.sample_with_log_prob(keys, target.system)
        x = _stored(draws.x)
        log_q = draws.log_q.cpu().numpy().astype(np.float64)
        status = np.full(len(x), int(Validity.OK), dtype=np.int64)
        status[draws.status.cpu().numpy() != Status.OK] = Validity.INTEGRATION_FAILED
        status[(status == Validity.OK) & ~np.isfinite(x).all(axis=tuple(range(1, x.ndim)))] = Validity.NONFINITE_DENSITY
        mirrored = None
        if domain is not None:
            good = status == Validity.OK
            folded = domain.fold(x[good])
            x[good] = folded.x.astype(np.float32)
            status[good] = folded.status
            mirrored = np.zeros(len(x), dtype=bool)
            mirrored[good] = folded.mirrored
            log_q = log_q + domain.log_orbit
        status[(status == Validity.OK) & ~np.isfinite(log_q)] = Validity.NONFINITE_DENSITY
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


def _stored(x: Tensor) -> np.ndarray:
    """States in the single precision in which they are stored: the energy is that of what is on disk."""
    return x.cpu().to(torch.float32).numpy()


def _can_be_folded(domain: CanonicalDomain, x: Tensor) -> Tensor:
    """Which states [B] have an image in the domain."""
    return torch.from_numpy(domain.fold(_stored(x)).valid)
