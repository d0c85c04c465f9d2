"""Free-energy labels are unbiased where F is known, and their errors are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_coarse.config import CoarseConfig
from tbg_coarse.labels import label, summarise
from tbg_coarse.proposal import Coarse
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import Harmonic, plane

STIFFNESS, DRAWS = 1.5, 30


@pytest.fixture(scope="module")
def labelled():
    """Labels of a bowl in R^3 along its first axis, by a density that is not that of the bowl."""
    system = plane(3)
    torch.manual_seed(0)  # noqa: TID251 - torch initialises weights from its global generator
    model = Coarse(Coarse.adapt(CoarseConfig(cvs=("x:0",), width=8), [system]))
    model.fit_constants([system], [np.random.default_rng(0).standard_normal((2000, 3))])
    target = Harmonic(STIFFNESS).bind(system, ThermodynamicState())
    s = np.linspace(-1.5, 1.5, 600)[:, None]
    found = label(model, target, s, DRAWS, SampleKeys.range(0, "labels", 0, len(s) * DRAWS))
    assert target.evaluations == len(s) * DRAWS
    return found, 0.5 * STIFFNESS * s[:, 0] ** 2 - math.log(2 * math.pi / STIFFNESS)


def test_labels_are_unbiased(labelled):
    found, exact = labelled
    ratio = np.exp(exact - found.free_energy)
    assert abs(ratio.mean() - 1.0) < 5 * ratio.std() / math.sqrt(len(ratio))
    assert ratio.std() > 0.01


def test_errors_are_those_found(labelled):
    found, exact = labelled
    pulls = (found.free_energy - exact) / found.error
    assert 0.8 < pulls.std() < 1.25


def test_clipping_raises_free_energies(labelled):
    found, _ = labelled
    assert (found.clipped >= found.free_energy - 1e-12).all()


def test_draws_without_an_energy_count():
    (one,) = summarise(np.zeros((1, 1)), np.array([[0.0, 0.0, -np.inf, -np.inf]])).free_energy
    assert one == pytest.approx(math.log(2.0))
    lost = summarise(np.zeros((1, 1)), np.full((1, 4), -np.inf))
    assert lost.ess[0] == 0
    assert np.isinf(lost.error[0])
