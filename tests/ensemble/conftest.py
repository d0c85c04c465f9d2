"""A closed-form 1-D example: Gaussian proposal, asymmetric double well, exact importance weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import RecordedSystem

SYSTEM = RecordedSystem("double-well", "d0b1e", (1,), 1)


@dataclass(frozen=True)
class DoubleWell:
    """u(x) = barrier (x^2 - 1)^2 + tilt x; its integrals by quadrature."""

    barrier: float = 4.0
    tilt: float = 0.5

    def u(self, x):
        return self.barrier * (x * x - 1.0) ** 2 + self.tilt * x

    def integral(self, f, low=-6.0, high=6.0):
        return quad(lambda x: f(x) * np.exp(-self.u(x)), low, high, points=[-1.0, 0.0, 1.0], limit=200)[0]

    @property
    def z(self):
        return self.integral(lambda x: 1.0)

    @property
    def mean(self):
        return self.integral(lambda x: x) / self.z

    @property
    def difference(self):
        """F(x > 0) - F(x < 0)."""
        return -np.log(self.integral(lambda x: 1.0, 0.0, 6.0) / self.integral(lambda x: 1.0, -6.0, 0.0))

    def free_energy(self, edges):
        """-log of the mean density in each bin, its smallest value zero."""
        pairs = pairwise(edges)
        mass = np.array([self.integral(lambda x: 1.0, a, b) / (b - a) for a, b in pairs])
        return -np.log(mass / mass.max())

    def ensemble(self, n, seed, *, mean=0.0, width=1.2, provenance=None):
        """n draws from a normal density."""
        x = np.random.default_rng([seed, 77]).normal(mean, width, size=n)
        # float32 positions are the sample: the weight is that of what is stored.
        x = x.astype(np.float32).astype(np.float64)
        log_q = -0.5 * ((x - mean) / width) ** 2 - np.log(width * np.sqrt(2.0 * np.pi))
        return build(x[:, None], log_q, self.u(x), provenance=provenance)


def build(positions, log_q, u, valid=None, **optional):
    n = len(positions)
    valid = np.ones(n, dtype=bool) if valid is None else valid
    optional["provenance"] = optional.get("provenance") or {}
    return Ensemble(
        system=SYSTEM,
        temperature_K=300.0,
        positions=np.asarray(positions, dtype=np.float32),
        log_q=np.asarray(log_q, dtype=np.float64),
        reduced_energy=np.asarray(u, dtype=np.float64),
        valid=valid,
        log_q_err=np.zeros(n),
        status=np.where(valid, 0, 2).astype(np.int64),
        **optional,
    )


@pytest.fixture
def double_well():
    return DoubleWell()


@pytest.fixture
def make_ensemble():
    return build


@pytest.fixture
def x1():
    """The first coordinate."""
    return lambda positions: positions[:, 0].astype(np.float64)
