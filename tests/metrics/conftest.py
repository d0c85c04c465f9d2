"""A dipeptide and its conformations, without any force field."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.registry import get_registry
from tbg_core.report.reference import Reference


@pytest.fixture(scope="session")
def glycylalanine():
    """GA and 400 conformations around its reference, shaken by 0.02 nm (phi and psi vary by tens of degrees)."""
    registry = get_registry()
    molecule = registry.build("system", registry.resolve_system("GA")).build()
    noise = np.random.default_rng(5).normal(0.0, 0.02, (400, *molecule.reference.shape))
    return molecule, molecule.reference + noise


@pytest.fixture
def reference(glycylalanine):
    """Eight walkers of fifty conformations, whose energies are the first coordinate of noise."""
    _, x = glycylalanine
    u = np.random.default_rng(6).normal(20.0, 3.0, len(x))
    return Reference(x.astype(np.float32), u, np.repeat(np.arange(8), 50))


@pytest.fixture
def ensemble(glycylalanine):
    """Makes ensembles of GA from positions, energies and log-weights."""
    molecule, _ = glycylalanine

    def make(x, u, log_w, valid=None):
        zeros = np.zeros(len(x))
        valid = zeros == 0 if valid is None else valid
        status = np.where(valid, 0, 1).astype(np.int64)
        return Ensemble(molecule, 310.0, x.astype(np.float32), -u - log_w, u, valid, zeros, status)

    return make
