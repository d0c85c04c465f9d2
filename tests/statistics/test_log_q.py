"""log q of one trained flow, by every integrator and every rule: the same number, and of the promised order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tbg_core.pipeline.components import build_proposal, build_system
from tbg_core.randomness import SampleKeys
from tbg_core.storage.checkpoint import Checkpoint

TIGHT = {"name": "dopri5", "rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(scope="module")
def log_q(trained):
    """log q of the same 40 states, by a choice of integrator, rule and arithmetic."""
    system = build_system(trained.config())

    def flow(integrator, likelihood, dtype="float64"):
        config = trained.config(integrator=integrator, likelihood=likelihood)
        opened = Checkpoint.open(trained.checkpoint)
        proposal = build_proposal({**opened.model, "dtype": dtype}, config)
        opened.load_into(proposal)
        return proposal.eval()

    with torch.no_grad():
        drawn = flow(TIGHT, "augmented").sample_with_log_prob(SampleKeys.range(0, "states", 0, 40), system)

    @torch.no_grad()
    def evaluate(integrator, likelihood="augmented", dtype="float64"):
        return flow(integrator, likelihood, dtype).log_prob(drawn.x, system)

    evaluate.drawn = drawn
    return evaluate


@pytest.fixture(scope="module")
def exact(log_q):
    """log q with errors near those of rounding."""
    return log_q(TIGHT).log_q.numpy()


def test_drawing_and_evaluating_agree(log_q, exact):
    np.testing.assert_allclose(log_q.drawn.log_q.numpy(), exact, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("integrator", "likelihood", "tolerance"),
    [
        (TIGHT, "quadrature", 5e-4),  # of 21 divergences along the path
        ({"name": "rk4", "steps": 100}, "augmented", 1e-5),
        ({"name": "rk4", "steps": 100}, "quadrature", 5e-4),
        ({"name": "heun", "steps": 400}, "augmented", 1e-3),
        ({"name": "heun", "steps": 400}, "quadrature", 1e-3),
        ({"name": "dopri5"}, "augmented", 1e-3),
        ({"name": "dopri5"}, "quadrature", 1e-3),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_every_way_gives_the_same_log_q(log_q, exact, integrator, likelihood, tolerance):
    found = log_q(integrator, likelihood)
    assert (found.status == 0).all()
    error = np.abs(found.log_q.numpy() - exact)
    assert error.max() < tolerance


@pytest.mark.parametrize("nodes", [15, 21])
def test_the_error_that_quadrature_estimates_is_not_too_small(log_q, exact, nodes):
    found = log_q(TIGHT, {"name": "quadrature", "nodes": nodes})
    error = np.abs(found.log_q.numpy() - exact)
    assert (found.log_q_err.numpy() >= error).mean() > 0.9
    assert np.median(found.log_q_err.numpy()) < 0.02  # and of use


@pytest.mark.parametrize("likelihood", ["augmented", "quadrature"])
def test_single_precision_is_enough(log_q, exact, likelihood):
    found = log_q({"name": "dopri5"}, likelihood, "float32")
    error = np.abs(found.log_q.numpy() - exact)
    assert error.max() < 2e-3
    assert np.median(error) < 2e-4


@pytest.mark.parametrize(("name", "order", "steps"), [("heun", 2, 40), ("rk4", 4, 20)])
@pytest.mark.parametrize("likelihood", ["augmented", "quadrature"])
def test_halving_the_step_shows_the_order(log_q, exact, name, order, steps, likelihood):
    errors = [
        np.median(np.abs(log_q({"name": name, "steps": n}, likelihood).log_q.numpy() - exact))
        for n in (steps, 2 * steps)
    ]
    # A trained network is rough; the order is still seen to within 20 %.
    assert abs(np.log2(errors[0] / errors[1]) / order - 1.0) < 0.2, errors
