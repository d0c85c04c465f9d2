"""The map of a few large steps has an exact density, which the continuous log-determinant along it is not."""

from __future__ import annotations

import pytest
import torch

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.system import Batch
from tbg_core.errors import ConfigError
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, DiscreteConfig, FlowConfig
from tbg_core.flows.discrete import Discrete
from tbg_core.flows.proposal import FlowProposal
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import CurvedField, LinearField, PairField, atoms, plane
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config, EulerConfig, RK4Config
from tbg_solvers.fixed import RK4, Euler

MATRIX = ((-0.6, 0.9, 0.1), (-0.8, 0.3, 0.2), (0.1, -0.3, -0.4))
RULE = Discrete(DiscreteConfig(tolerance=1e-12))


def move(field, integrator, x, system, ends=(0.0, 1.0)):
    keys = SampleKeys.range(0, "discrete", 0, len(x))
    return RULE.transport(field.double(), integrator, x, Batch.single(system, len(x)), *ends, keys=keys)


def states(system, count):
    return system.space.project(SampleKeys.range(1, "x", 0, count).normal(system.space.event_shape))


def test_euler_steps_have_their_own_determinant():
    """Two steps of dx/dt = A x are (1 + A/2)^2, whose determinant is not that of e^A."""
    system, A = plane(3), torch.tensor(MATRIX, dtype=torch.float64)
    moved = move(LinearField(MATRIX), Euler(EulerConfig(steps=2)), states(system, 4), system)
    exact = 2 * torch.linalg.slogdet(torch.eye(3, dtype=torch.float64) + A / 2).logabsdet
    assert (moved.log_det - exact).abs().max() < 1e-12
    assert (moved.log_det - torch.trace(A)).abs().max() > 0.1


def test_a_few_steps_have_a_density_that_integrates_to_one():
    """Where the divergence integrated by the same steps gives one that does not."""
    system = plane(2)
    grid = torch.linspace(-9, 9, 181, dtype=torch.float64)
    x = torch.cartesian_prod(grid, grid)

    def total(rule):
        parts = {"prior": Gaussian(GaussianConfig()), "integrator": Euler(EulerConfig(steps=2)), "likelihood": rule}
        flow = FlowProposal(FlowConfig(dtype="float64"), field=CurvedField(2), **parts)
        with torch.no_grad():
            return float(flow.log_prob(x, system).log_q.exp().sum()) * float(grid[1] - grid[0]) ** 2

    rule = Discrete(DiscreteConfig(max_rows=4096, tolerance=1e-9))
    assert total(rule) == pytest.approx(1.0, abs=1e-4)
    assert abs(total(Augmented(AugmentedConfig())) - 1.0) > 1e-3


@pytest.mark.parametrize("integrator", [Euler(EulerConfig(steps=3)), RK4(RK4Config(steps=2))], ids=["euler", "rk4"])
def test_the_map_is_undone(integrator):
    system, field = atoms(4), PairField()
    x = states(system, 5)
    there = move(field, integrator, x, system)
    back = move(field, integrator, there.x, system, (1.0, 0.0))
    assert (back.status == Status.OK).all()
    assert (back.x - x).abs().max() < 1e-10
    assert (back.log_det + there.log_det).abs().max() < 1e-9


def test_a_map_that_cannot_be_undone_fails_alone():
    """One Euler step of a steep linear field, dx/dt = -4 x, turns x into -3 x, which the step back does not undo."""
    system = plane(1)
    x = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    back = move(LinearField(((-4.0,),)), Euler(EulerConfig(steps=1)), x, system, (1.0, 0.0))
    assert back.status.tolist() == [Status.STEP_LIMIT, Status.OK]
    assert back.log_det.isnan().tolist() == [True, False]


def test_steps_that_depend_on_the_state_are_refused():
    system = plane(3)
    with pytest.raises(ConfigError, match="fixed steps, not Dopri5"):
        move(CurvedField(3), Dopri5(Dopri5Config()), states(system, 2), system)
