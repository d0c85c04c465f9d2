"""Fixed grids."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from tbg_core.contracts.integrator import Status
from tbg_solvers.config import Dopri5Config, EulerConfig, HeunConfig, RK4Config
from tbg_solvers.fixed import RK4, Euler, Heun


@pytest.mark.parametrize(
    ("solver", "evaluations"),
    [(Euler(EulerConfig()), 100), (Heun(HeunConfig()), 100), (RK4(RK4Config()), 160)],
    ids=["euler", "heun", "rk4"],
)
def test_cost_at_the_defaults(solver, evaluations):
    calls = []

    def rhs(t, x, rows):
        calls.append(1)
        return -x, {}

    solution = solver.integrate(rhs, torch.ones(3, 2), 0.0, 1.0)
    assert solution.evaluations.tolist() == [evaluations] * 3
    assert len(calls) == evaluations
    # Only who looks at the path pays for the slope at its end.
    solution.path(0.99)
    solution.path(0.5)
    assert len(calls) == evaluations + 1


def test_euler_by_hand():
    def rhs(t, x, rows):
        return x + t[:, None], {"two": torch.full((len(x),), 2.0)}

    x0 = torch.tensor([[1.0]], dtype=torch.float64)
    solution = Euler(EulerConfig(steps=2)).integrate(rhs, x0, 0.0, 1.0, ("two",))
    assert float(solution.x) == pytest.approx((1.0 + 0.5) + 0.5 * (1.5 + 0.5))
    assert float(solution.accumulators["two"]) == 2.0


def test_overflow_fails_alone_and_is_not_evaluated_any_more():
    last_rows = []

    def rhs(t, x, rows):
        last_rows[:] = rows.tolist()
        return x**3, {}

    x0 = torch.tensor([[0.1], [30.0], [0.2]], dtype=torch.float64)
    solution = RK4(RK4Config(steps=20)).integrate(rhs, x0, 0.0, 1.0)
    assert solution.status.tolist() == [Status.OK, Status.NONFINITE, Status.OK]
    assert torch.isfinite(solution.x).all()
    assert last_rows == [0, 2]
    assert torch.isfinite(solution.path(0.9)).all()
    assert torch.equal(solution.path(1.0)[1], solution.x[1])


def test_all_samples_may_fail():
    def rhs(t, x, rows):
        return x * float("nan"), {}

    x0 = torch.ones(2, 3)
    solution = Heun(HeunConfig(steps=4)).integrate(rhs, x0, 0.0, 1.0)
    assert solution.status.tolist() == [Status.NONFINITE] * 2
    assert torch.equal(solution.x, x0)
    assert torch.equal(solution.path(0.5), x0)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (EulerConfig, {"steps": 0}),
        (RK4Config, {"stepz": 3}),
        (Dopri5Config, {"rtol": -1e-3}),
        (Dopri5Config, {"first_step": 0.0}),
    ],
)
def test_bad_options_are_refused(config, options):
    with pytest.raises(ValidationError):
        config(**options)
