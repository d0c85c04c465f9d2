"""Learning from an energy alone."""

from __future__ import annotations

import math

import pytest
import torch

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.contracts.system import Batch
from tbg_core.errors import ConfigError
from tbg_core.objectives.config import ReverseKLConfig
from tbg_core.objectives.conformance import STIFFNESS, TestReverseKL
from tbg_core.objectives.reverse_kl import ReverseKL, reverse_kl
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import GaussianProposal, Harmonic, plane

__all__ = ["TestReverseKL"]


class Normal(GaussianProposal):
    reparameterised = True


def normal(width):
    proposal = Normal(Gaussian(GaussianConfig()))
    proposal.log_width.data.fill_(math.log(width))
    return proposal


def terms(proposal, count=4000, margin=100.0):
    target = Harmonic(STIFFNESS).bind(plane(2), ThermodynamicState())
    return reverse_kl(proposal, SampleKeys.range(0, "test", 0, count), target, margin=margin)


def test_it_is_the_divergence_less_log_z():
    width = 0.5
    value = float(terms(normal(width), 20000).loss.detach())
    variance = width**2 * STIFFNESS
    divergence = variance - 1.0 - math.log(variance)  # of two isotropic normals in the plane
    assert value == pytest.approx(divergence - math.log(2 * math.pi / STIFFNESS), abs=0.05)


def test_its_gradient_vanishes_draw_by_draw_at_the_target():
    """What a path gradient is for: no noise where the model is right, though the batch is small."""
    proposal = normal(STIFFNESS**-0.5)
    terms(proposal, 4).loss.backward()
    assert abs(float(proposal.log_width.grad)) < 1e-12


def test_its_gradient_is_that_of_the_divergence():
    proposal = normal(0.5)
    terms(proposal, 20000).loss.backward()
    assert float(proposal.log_width.grad) == pytest.approx(2 * 0.25 * STIFFNESS - 2, abs=0.1)


def test_targets_are_closed_with_it_and_bound_anew():
    ends = []

    class Ending:
        def close(self):
            ends.append(self)

    objective = ReverseKL(ReverseKLConfig(energy="double-well"))
    objective.targets["a"] = objective.targets["b"] = Ending()
    objective.close()
    assert len(ends) == 2
    assert not objective.targets


def test_draws_far_above_the_median_are_left_out_and_counted():
    found = terms(normal(1.0), margin=20.0)
    assert 0 < found.left_out < 2000
    assert (-found.log_w).topk(found.left_out).values.min() > found.loss


class Fixed(Proposal):
    @property
    def symmetry(self):
        raise AssertionError

    def sample_with_log_prob(self, keys, system, condition=None) -> Draws:
        raise AssertionError

    log_prob = sample_with_log_prob


def test_a_model_without_differentiable_draws_is_refused():
    with pytest.raises(ConfigError, match="not differentiable"):
        terms(Fixed())


def test_several_systems_share_a_batch():
    objective, proposal = TestReverseKL().make(), normal(0.5)
    batch = Batch((plane(2), plane(3)), torch.tensor([0, 1, 1, 0]))
    x = torch.zeros(4, 3, dtype=torch.float64)
    loss = objective.loss(proposal, x, batch, SampleKeys.range(1, "t", 0, 4))
    assert torch.isfinite(loss)
