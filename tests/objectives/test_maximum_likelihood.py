from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.contracts.system import Batch, Euclidean
from tbg_core.errors import NumericalError
from tbg_core.objectives.config import MaximumLikelihoodConfig
from tbg_core.objectives.maximum_likelihood import MaximumLikelihood
from tbg_core.randomness import SampleKeys
from tbg_core.testing import ObjectiveConformance


class Line:
    def __init__(self, size: int) -> None:
        self.name, self.key, self.space = f"R{size}", f"r{size}", Euclidean(size)


class HalfNormal(Proposal):
    """A normal of trainable width on x > 0 in every coordinate; -inf elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.log_width = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    @property
    def symmetry(self):
        return Symmetry()

    def sample_with_log_prob(self, keys, system, condition=None):
        x = keys.normal((system.space.size,)).abs() * self.log_width.exp()
        return self.log_prob(x, system)

    def log_prob(self, x, system, condition=None):
        each = -0.5 * (x / self.log_width.exp()) ** 2 - self.log_width - 0.5 * math.log(math.pi / 2)
        log_q = torch.where((x > 0).all(1), each.sum(1), -torch.inf)
        zero = torch.zeros(len(x), dtype=torch.int64)
        return Draws(x, log_q, torch.zeros_like(log_q), zero, zero)

    def augment(self, x, batch, keys):
        return x * 2.0


def loss(x, index, **options):
    batch = Batch((Line(1), Line(3)), torch.tensor(index))
    objective = MaximumLikelihood(MaximumLikelihoodConfig(**options))
    return objective.loss(HalfNormal(), torch.tensor(x).double(), batch, SampleKeys.range(0, "l", 0, len(x)))


class TestMaximumLikelihood(ObjectiveConformance):
    def make(self):
        return MaximumLikelihood(MaximumLikelihoodConfig())


def test_loss_is_minus_log_q_per_degree_of_freedom_whatever_the_size_of_the_system():
    x = [[1.0, 0.0, 0.0], [1.0, 2.0, 3.0]]  # one coordinate, padded; three
    expected = (0.5 * (1 + 1 + 4 + 9) + 4 * 0.5 * math.log(math.pi / 2)) / 4
    assert float(loss(x, [0, 1], augment=False)) == pytest.approx(expected)


def test_states_off_the_support_are_left_out():
    inside, outside = [1.0, 2.0, 3.0], [1.0, -2.0, 3.0]
    both = loss([inside, outside], [1, 1], augment=False)
    assert float(both) == pytest.approx(float(loss([inside], [1], augment=False)))
    with pytest.raises(NumericalError, match="no state of a batch"):
        loss([outside], [1])


def test_augmentation_is_asked_for():
    once, twice = ([[v, 1.0, 1.0]] for v in (1.0, 2.0))
    assert float(loss([[2.0, 2.0, 2.0]], [1], augment=False)) == pytest.approx(float(loss([[1.0, 1.0, 1.0]], [1])))
    assert float(loss(once, [0])) != pytest.approx(float(loss(twice, [0])))


def test_the_gradient_leads_to_the_width_of_the_data():
    rng = np.random.default_rng(0)
    model, x = HalfNormal(), torch.from_numpy(np.abs(0.3 * rng.standard_normal((4000, 1))))
    batch = Batch.single(Line(1), len(x))
    objective = MaximumLikelihood(MaximumLikelihoodConfig(augment=False))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        objective.loss(model, x, batch, SampleKeys.range(0, "l", 0, len(x))).backward()
        optimizer.step()
    assert float(model.log_width.exp()) == pytest.approx(float(x.square().mean().sqrt()), rel=1e-3)
