"""TICA of a process whose slow directions are known."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.errors import ConfigError
from tbg_core.metrics.tica import Tica, tica_features

RATES = np.array([0.98, 0.9, 0.3])
MIXING = np.array([[1.0, 0.4, 0.2], [0.3, 2.0, -0.5], [0.6, -1.0, 1.5]])


def hidden(steps, seed):
    """Three independent processes x(t + 1) = a x(t) + sqrt(1 - a^2) noise, each of unit variance."""
    random = np.random.default_rng(seed)
    x = np.empty((steps, 3))
    x[0] = random.normal(size=3)
    for t in range(1, steps):
        x[t] = RATES * x[t - 1] + np.sqrt(1 - RATES**2) * random.normal(size=3)
    return x


@pytest.mark.statistical
def test_the_slow_directions_of_a_linear_process():
    """Eigenvalues are a^lag, components the hidden processes scaled by them; 40,000 steps, fixed seeds."""
    x = [hidden(10_000, seed) for seed in range(4)]
    tica = Tica([part @ MIXING for part in x], lag=5)
    assert tica.eigenvalues == pytest.approx(RATES[:2] ** 5, abs=0.03)
    components = np.concatenate([tica(part @ MIXING) for part in x])
    together = np.concatenate(x)
    for i in range(2):
        assert abs(np.corrcoef(components[:, i], together[:, i])[0, 1]) > 0.99
        assert components[:, i].std() == pytest.approx(tica.eigenvalues[i], rel=0.02)


def test_no_pair_spans_two_trajectories():
    """Each trajectory stays where it is: over the lag nothing changes, so that the eigenvalue is one."""
    random = np.random.default_rng(0)
    parts = [np.full((20, 1), value) for value in random.normal(size=6)]
    assert Tica(parts, lag=15).eigenvalues[0] == pytest.approx(1.0)


def test_features_without_variance_change_nothing():
    x = hidden(3000, 1)
    alone, padded = Tica([x], 5), Tica([np.concatenate([x, np.full((3000, 2), 0.147)], axis=1)], 5)
    assert padded.eigenvalues == pytest.approx(alone.eigenvalues, rel=1e-9)


def test_too_short_trajectories():
    with pytest.raises(ConfigError, match="longer than the lag of TICA, 100 frames: the longest has 80"):
        Tica([np.zeros((80, 2)), np.zeros((50, 2))], 100)


def test_features_are_those_of_the_field(glycylalanine):
    """C, N and S pairs, cosines and sines of phi, psi, omega; they do not change under a rotation."""
    molecule, x = glycylalanine
    heavy = sum(element in {"C", "N", "S"} for element in molecule.elements)
    features = tica_features(molecule, x)
    assert features.shape == (len(x), heavy * (heavy - 1) // 2 + 6)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    assert tica_features(molecule, x @ turn.T) == pytest.approx(features, abs=1e-9)
