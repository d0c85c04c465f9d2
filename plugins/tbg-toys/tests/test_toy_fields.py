"""The fields of this plugin: the linear one's exact flow, for every solver, and the network's shape."""

from __future__ import annotations

import math

import pytest
import torch

from tbg_core.contracts.system import Batch
from tbg_core.errors import UnsupportedSystemError
from tbg_toys.config import LinearConfig, MLPConfig
from tbg_toys.linear import Linear
from tbg_toys.mlp import MLP
from tbg_toys.system import ToySystem

SOLVERS = {
    "euler": ("fixed:Euler", {"steps": 4000}, 2e-3),
    "heun": ("fixed:Heun", {"steps": 400}, 1e-5),
    "rk4": ("fixed:RK4", {"steps": 60}, 1e-7),
    "dopri5": ("adaptive:Dopri5", {"rtol": 1e-10, "atol": 1e-10}, 1e-8),
}


def make_solver(name):
    solvers = pytest.importorskip("tbg_solvers", reason="tbg-solvers is not installed")
    assert solvers
    import importlib

    (module, target), options = SOLVERS[name][0].split(":"), SOLVERS[name][1]
    config = getattr(importlib.import_module("tbg_solvers.config"), f"{target}Config")
    return getattr(importlib.import_module(f"tbg_solvers.{module}"), target)(config(**options))


@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("name", SOLVERS)
def test_log_q_of_a_linear_flow_is_analytic(name, ends):
    field = Linear(LinearConfig(matrix=((-0.5, 0.8, 0.1), (-0.8, 0.2, 0.0), (0.3, 0.0, 0.6)), ramp=0.5))
    x0 = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    batch = Batch.single(ToySystem("gaussian", 3), 6)

    def rhs(t, x, rows):
        v, divergence = field.velocity_and_divergence(t, x, batch.select(rows))
        return v, {"log_det": divergence}

    with torch.no_grad():
        solution = make_solver(name).integrate(rhs, x0, *ends, ("log_det",))
        x, log_det = field.exact_flow(x0, *ends)
        assert (solution.x - x).abs().max() < SOLVERS[name][2]
        assert (solution.accumulators["log_det"] - log_det).abs().max() < SOLVERS[name][2]
        # The pushed-forward Gaussian has covariance M M^T.
        move = field.exact_flow(torch.eye(3), *ends)[0].T
        exact = torch.distributions.MultivariateNormal(torch.zeros(3).double(), move @ move.T).log_prob(x)
    log_q = -0.5 * x0.square().sum(dim=1) - 1.5 * math.log(2 * math.pi) - solution.accumulators["log_det"]
    assert (log_q - exact).abs().max() < 3 * SOLVERS[name][2]


def test_network_depends_on_time_and_condition():
    field = MLP(MLPConfig(dim=2, condition_dim=1)).double()
    batch = Batch.single(ToySystem("gaussian"), 1)
    x, c = torch.ones(1, 2, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    t = torch.tensor([0.3], dtype=torch.float64)
    v = field(t, x, batch, c)
    assert not torch.equal(field(t + 0.1, x, batch, c), v)
    assert not torch.equal(field(t, x, batch, 2 * c), v)
    with pytest.raises(UnsupportedSystemError, match="expects 1"):
        field(t, x, batch)


@pytest.mark.parametrize("field", [MLP(MLPConfig()), Linear(LinearConfig())], ids=["mlp", "linear"])
def test_wrong_dimension_is_named(field):
    with pytest.raises(UnsupportedSystemError, match="dimension 2"):
        field(torch.zeros(1), torch.zeros(1, 3), Batch.single(ToySystem("gaussian", 3), 1))


def test_the_network_takes_the_dimension_of_its_training_systems():
    systems = [ToySystem("gaussian", 5)]
    assert MLP.adapt(MLPConfig(), systems).dim == 5
    assert MLP.adapt(MLPConfig(dim=3), systems).dim == 3
    field = MLP(MLP.adapt(MLPConfig(width=8), systems))
    assert field(torch.zeros(2), torch.zeros(2, 5), Batch.single(systems[0], 2)).shape == (2, 5)
