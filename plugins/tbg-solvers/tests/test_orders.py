"""Observed orders of convergence on a nonlinear problem, of solutions, accumulators and dense output."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config
from tbg_solvers.dense import DensePath, Segment
from tbg_solvers.fixed import RK4, Euler, FixedGrid, Heun
from tbg_solvers.step import FlatProblem, combine, runge_kutta_step
from tbg_solvers.tableau import CLASSICAL, DORMAND_PRINCE, EULER, HEUN


class FixedDormandPrince(FixedGrid):
    """The pair without its error control."""

    order = 5
    tableau = DORMAND_PRINCE


def logistic(t, x, rows):
    """dx/dt = (1 + cos t) x (1 - x), with its divergence; nonlinear and depending on time."""
    pace = (1 + torch.cos(t))[:, None]
    return pace * x * (1 - x), {"log_det": (pace * (1 - 2 * x)).sum(dim=1)}


def exact(x0, t):
    """x(t) and log dx(t)/dx(0)."""
    growth = torch.exp(torch.as_tensor(t + math.sin(t), dtype=x0.dtype))
    below = 1 - x0 + x0 * growth
    return x0 * growth / below, torch.log(growth / below**2).sum(dim=1)


X0 = torch.tensor([[0.1], [0.35], [0.8]], dtype=torch.float64)


@pytest.mark.parametrize(("method", "steps"), [(Euler, 64), (Heun, 32), (RK4, 16), (FixedDormandPrince, 20)])
def test_observed_order(method, steps):
    errors = []
    for n in (steps, 2 * steps):
        solution = method(SimpleNamespace(steps=n)).integrate(logistic, X0, 0.0, 2.0, ("log_det",))
        x, log_det = exact(X0, 2.0)
        errors.append([float((solution.x - x).norm()), float((solution.accumulators["log_det"] - log_det).norm())])
    for coarse, fine in zip(*errors, strict=True):
        assert math.log2(coarse / fine) == pytest.approx(method.order, abs=0.3)


@pytest.mark.parametrize("method", [RK4, FixedDormandPrince])
def test_hermite_output_of_a_fixed_grid_is_of_order_four(method):
    errors = []
    for n in (8, 16, 32):
        path = method(SimpleNamespace(steps=n)).integrate(logistic, X0, 0.0, 2.0).path
        times = torch.linspace(0, 2, 101).tolist()
        errors.append(max(float((path(t) - exact(X0, t)[0]).abs().max()) for t in times))
    assert math.log2(errors[1] / errors[2]) > 3.5
    assert math.log2(errors[0] / errors[1]) > 3.3


def test_own_interpolant_of_dopri5_is_more_accurate_than_hermite():
    """Within one step the quartic errs by h^5 and Hermite's cubic by h^4."""
    worst = {True: [], False: []}
    for h in (0.1, 0.05):
        problem, rows = FlatProblem(logistic, X0, ()), torch.arange(3)
        t, step = torch.full((3,), 0.3, dtype=torch.float64), torch.full((3,), h, dtype=torch.float64)
        y = exact(X0, 0.3)[0]
        end, slopes = runge_kutta_step(DORMAND_PRINCE, problem, t, y, step, problem(t, y, rows), rows)
        for quartic, errors in worst.items():
            bulge = h * combine(DORMAND_PRINCE.dense, slopes) if quartic else None
            segment = Segment(rows, t, step, y, end, h * slopes[0], h * slopes[-1], bulge)
            path = DensePath(y, 0.3, 0.3 + h, [segment])
            times = [0.3 + 0.1 * i * h for i in range(1, 10)]
            errors.append(max(float((path(time) - exact(X0, time)[0]).norm()) for time in times))
    assert math.log2(worst[False][0] / worst[False][1]) == pytest.approx(4, abs=0.3)
    assert math.log2(worst[True][0] / worst[True][1]) == pytest.approx(5, abs=0.3)
    assert worst[True][1] < 0.02 * worst[False][1]


@pytest.mark.parametrize("direction", [1, -1])
def test_dense_output_follows_the_tolerance(direction):
    x1, _ = exact(X0, 2.0)
    start, ends = (X0, (0.0, 2.0)) if direction > 0 else (x1, (2.0, 0.0))
    for tolerance in (1e-5, 1e-8):
        path = Dopri5(Dopri5Config(rtol=tolerance, atol=tolerance)).integrate(logistic, start, *ends).path
        worst = max(float((path(0.02 * i) - exact(X0, 0.02 * i)[0]).abs().max()) for i in range(101))
        assert worst < 30 * tolerance


def test_error_of_dopri5_is_proportional_to_the_tolerance():
    errors = []
    for tolerance in (1e-5, 1e-7, 1e-9):
        solver = Dopri5(Dopri5Config(rtol=tolerance, atol=tolerance))
        solution = solver.integrate(logistic, X0, 0.0, 2.0, ("log_det",))
        x, log_det = exact(X0, 2.0)
        error = max(
            float((solution.x - x).abs().max()),
            float((solution.accumulators["log_det"] - log_det).abs().max()),
        )
        assert error < 10 * tolerance
        errors.append(error)
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


@pytest.mark.parametrize("tableau", [EULER, HEUN, CLASSICAL, DORMAND_PRINCE], ids=lambda t: t.name)
def test_tableau_is_consistent(tableau):
    assert sum(tableau.b) == pytest.approx(1)
    for c, row in zip(tableau.c, tableau.a, strict=True):
        assert sum(row) == pytest.approx(c, abs=1e-14)
    for power in range(1, tableau.order):
        moment = sum(b * c**power for b, c in zip(tableau.b, tableau.c, strict=True))
        assert moment == pytest.approx(1 / (power + 1))
    if tableau.b_err:
        for power in range(tableau.error_order):
            assert sum(e * c**power for e, c in zip(tableau.b_err, tableau.c, strict=True)) == pytest.approx(
                0, abs=1e-14
            )
    assert tableau.fsal == (tableau is DORMAND_PRINCE)
