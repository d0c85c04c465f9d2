"""The structured divergence is the trace of the Jacobian, where it is used and where it is not."""

from __future__ import annotations

import pytest
import torch

from tbg_assignment.config import NetworkConfig
from tbg_assignment.network import AssignmentNetwork
from tbg_core.contracts.system import Batch
from tbg_core.flows.divergence import exact_divergence
from tbg_core.testing.parts import labels


@pytest.mark.parametrize("output", ["posterior", "velocity"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_structured_divergence_is_the_trace_of_the_jacobian(output, depth):
    """Seventy rows, more than are taken at once; eleven logits of each variable and seven hidden units."""
    sizes = {"variables": 2, "classes": 11, "width": 7, "depth": depth, "output": output}
    with torch.random.fork_rng():
        torch.manual_seed(4)  # noqa: TID251 - torch initialises weights from its global generator
        field = AssignmentNetwork(NetworkConfig.model_validate(sizes)).double()
    for parameter in field.parameters():
        parameter.data *= 3.0
    system = labels(2, 11)
    generator = torch.Generator().manual_seed(1)
    x = system.space.project(2.0 * torch.randn(70, 2, 11, generator=generator, dtype=torch.float64))
    t = 6.0 * torch.rand(70, generator=generator, dtype=torch.float64)
    batch = Batch.single(system, 70)
    with torch.no_grad():
        velocity, divergence = field.velocity_and_divergence(t, x, batch)
        expected_velocity, expected = exact_divergence(field, t, x, batch)
    torch.testing.assert_close(velocity, expected_velocity)
    torch.testing.assert_close(divergence, expected, rtol=1e-10, atol=1e-10)
    assert expected.abs().max() > 0.1
    assert field.velocity_and_divergence(t, x.requires_grad_(), batch)[1].requires_grad
    assert field.velocity_and_divergence(t[:0], x[:0], batch.select(torch.arange(0)))[1].shape == (0,)
