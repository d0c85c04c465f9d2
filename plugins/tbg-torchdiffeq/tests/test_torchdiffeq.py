"""What this plugin adds to torchdiffeq: dense output, the end of the interval, and samples that fail."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from pydantic import ValidationError
from torchdiffeq import odeint

from tbg_core.contracts.integrator import Status
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config, RK4Config
from tbg_solvers.fixed import RK4
from tbg_torchdiffeq.config import ADAPTIVE, FIXED, TorchdiffeqConfig
from tbg_torchdiffeq.dense import hermite_weights
from tbg_torchdiffeq.integrator import Torchdiffeq

X0 = torch.tensor([[0.1], [0.35], [0.8]], dtype=torch.float64)


def solver(method, **options):
    return Torchdiffeq(TorchdiffeqConfig(method=method, **options))


def logistic(t, x, rows):
    """dx/dt = (1 + cos t) x (1 - x), with its divergence; nonlinear and depending on time."""
    pace = (1 + torch.cos(t))[:, None]
    return pace * x * (1 - x), {"log_det": (pace * (1 - 2 * x)).sum(dim=1)}


def exact(x0, t):
    """x(t) and log dx(t)/dx(0)."""
    growth = torch.exp(torch.as_tensor(t + math.sin(t), dtype=x0.dtype))
    below = 1 - x0 + x0 * growth
    return x0 * growth / below, torch.log(growth / below**2).sum(dim=1)


@pytest.mark.parametrize(("method", "order"), FIXED.items())
def test_observed_order_on_a_grid(method, order):
    errors = []
    for steps in (16, 32):
        solution = solver(method, steps=steps).integrate(logistic, X0, 0.0, 2.0, ("log_det",))
        x, log_det = exact(X0, 2.0)
        errors.append([float((solution.x - x).norm()), float((solution.accumulators["log_det"] - log_det).norm())])
    for coarse, fine in zip(*errors, strict=True):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.4)


@pytest.mark.parametrize("method", ADAPTIVE)
def test_error_follows_the_tolerance(method):
    tolerances = (1e-4, 1e-6) if ADAPTIVE[method] == 2 else (1e-5, 1e-7, 1e-9)
    errors = []
    for tolerance in tolerances:
        made = solver(method, rtol=tolerance, atol=tolerance, max_steps=20000)
        solution = made.integrate(logistic, X0, 0.0, 2.0, ("log_det",))
        x, log_det = exact(X0, 2.0)
        log_det_error = (solution.accumulators["log_det"] - log_det).abs().max()
        errors.append(max(float((solution.x - x).abs().max()), float(log_det_error)))
        assert errors[-1] < (300 if ADAPTIVE[method] == 2 else 50) * tolerance
    # The least number of steps of dopri8 makes it too accurate here to show it.
    assert method == "dopri8" or all(coarse > 5 * fine for coarse, fine in itertools.pairwise(errors))


def test_agrees_with_our_own_solvers():
    tight = {"rtol": 1e-10, "atol": 1e-10}
    ours = Dopri5(Dopri5Config(**tight)).integrate(logistic, X0, 0.0, 2.0, ("log_det",))
    for method in ("dopri5", "dopri8"):
        theirs = solver(method, **tight).integrate(logistic, X0, 0.0, 2.0, ("log_det",))
        assert torch.allclose(theirs.x, ours.x, rtol=0, atol=1e-8)
        assert torch.allclose(theirs.accumulators["log_det"], ours.accumulators["log_det"], rtol=0, atol=1e-8)
    # torchdiffeq's rk4 is the 3/8 rule: another method of the same order, with as many evaluations.
    grids = RK4(RK4Config(steps=50)), solver("rk4", steps=50)
    a, b = (s.integrate(logistic, X0, 0.0, 2.0) for s in grids)
    assert torch.equal(a.evaluations, b.evaluations)
    assert torch.allclose(a.x, b.x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["dopri5", "dopri8", "bosh3"])
def test_dense_output_is_better_than_that_of_torchdiffeq(method):
    times = torch.linspace(0, 2, 41, dtype=torch.float64)

    def plain(t, x):
        return logistic(t.expand(len(x)), x, None)[0]

    truth = torch.stack([exact(X0, float(t))[0] for t in times])
    theirs = odeint(plain, X0, times, rtol=1e-7, atol=1e-7, method=method)
    path = solver(method, rtol=1e-7, atol=1e-7).integrate(logistic, X0, 0.0, 2.0).path
    ours = torch.stack([path(float(t)) for t in times])
    assert (ours - truth).abs().max() < 1e-6
    assert (ours - truth).abs().max() < 0.5 * (theirs - truth).abs().max()


def test_hermite_weights_reproduce_polynomials():
    knots = torch.tensor([0.0, 0.3, 0.5, 1.1], dtype=torch.float64).numpy()
    for s in (0.05, 0.3, 0.77, 1.1):
        values, slopes = hermite_weights(knots, s)
        for power in range(8):
            slope = power * knots ** max(power - 1, 0)
            assert values @ knots**power + slopes @ slope == pytest.approx(s**power, abs=1e-10)


@pytest.mark.parametrize("method", [*ADAPTIVE, *FIXED])
@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.0)])
def test_the_field_is_never_asked_outside_the_interval(method, ends):
    seen = []

    def rhs(t, x, rows):
        seen.extend(t.tolist())
        return -x * t[:, None], {}

    solution = solver(method, rtol=1e-3, atol=1e-3, steps=3).integrate(rhs, X0, *ends)
    assert (solution.status == Status.OK).all()
    solution.path(0.5)
    assert min(seen) >= -1e-12
    assert max(seen) <= 1 + 1e-12


def test_a_pole_costs_the_others_time_but_nothing_else():
    """dx/dt = x^2 from 2 has a pole at t = 1/2; from 0.5 it has none before t = 2."""

    def rhs(t, x, rows):
        return x**2, {}

    x0 = torch.tensor([[0.5], [2.0], [0.25]], dtype=torch.float64)
    solution = solver("dopri5", max_steps=5000, rtol=1e-7, atol=1e-7).integrate(rhs, x0, 0.0, 1.0)
    assert solution.status[[0, 2]].tolist() == [Status.OK, Status.OK]
    assert int(solution.status[1]) in {Status.STEP_TOO_SMALL, Status.NONFINITE}
    assert torch.isfinite(solution.x).all()
    assert solution.x[[0, 2], 0].tolist() == pytest.approx([1.0, 1 / 3], abs=1e-5)
    assert torch.isfinite(solution.path(0.7)).all()
    assert solution.evaluations[1] < solution.evaluations[0]
    assert float(solution.path(0.7)[0]) == pytest.approx(1 / (2 - 0.7), abs=1e-5)


@pytest.mark.parametrize("method", ["dopri5", "adaptive_heun", "rk4"])
def test_a_sample_that_is_lost_is_not_evaluated_any_more(method):
    def rhs(t, x, rows):
        return torch.where((rows == 1)[:, None] & (t > 0.5)[:, None], math.nan, -x), {}

    solution = solver(method, steps=50).integrate(rhs, X0, 0.0, 1.0)
    assert solution.status.tolist() == [Status.OK, Status.NONFINITE, Status.OK]
    assert solution.evaluations[1] < solution.evaluations[0]
    assert solution.x[[0, 2], 0].tolist() == pytest.approx((X0[[0, 2], 0] * math.exp(-1)).tolist(), abs=1e-3)
    # It rests where it was last seen, not far before the wall.
    assert 0.35 * math.exp(-0.5) - 1e-4 < float(solution.x[1]) < 0.35 * math.exp(-0.2)
    assert torch.equal(solution.path(0.9)[1], solution.x[1])


@pytest.mark.parametrize("method", ["dopri5", "euler"])
def test_all_samples_may_fail(method):
    solution = solver(method).integrate(lambda t, x, rows: (x * math.nan, {}), X0, 0.0, 1.0)
    assert solution.status.tolist() == [Status.NONFINITE] * 3
    assert torch.equal(solution.x, X0)
    assert torch.equal(solution.path(0.5), X0)


def test_step_limit():
    def rhs(t, x, rows):
        return torch.cos(500 * t)[:, None] * 50 + 0 * x, {}

    solution = solver("bosh3", max_steps=20).integrate(rhs, X0, 0.0, 1.0)
    assert solution.status.tolist() == [Status.STEP_LIMIT] * 3
    assert torch.isfinite(solution.x).all()
    assert torch.equal(solution.path(1.0), solution.x)
    assert solution.evaluations.tolist() == [2 + 3 * 20] * 3


def test_overflow_without_a_slope_that_is_not_finite():
    """Heun's last stage is taken before the end of the step: an end that overflows is seen at the next one."""

    def rhs(t, x, rows):
        return torch.where((t < 0.5)[:, None], x, x * 1e308), {}

    solution = solver("adaptive_heun").integrate(rhs, X0 * 10, 0.0, 1.0)
    assert (solution.status != Status.OK).all()
    assert torch.isfinite(solution.x).all()


def test_only_fixed_grids_keep_samples_apart():
    assert all(solver(method).batch_coupled for method in ADAPTIVE)
    assert not any(solver(method).batch_coupled for method in FIXED)


def test_gradient_of_the_solution():
    rate = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for method in ("dopri5", "rk4"):
        x = solver(method, rtol=1e-9, atol=1e-9).integrate(lambda t, x, rows: (rate * x, {}), X0, 0.0, 1.0).x
        (gradient,) = torch.autograd.grad(x.sum(), rate)
        assert float(gradient) == pytest.approx(float(X0.sum()) * math.exp(0.7), abs=1e-6)


@pytest.mark.parametrize("options", [{"method": "os.system"}, {"rtol": 0.0}, {"steps": 0}, {"step": 3}])
def test_bad_options_are_refused(options):
    with pytest.raises(ValidationError):
        TorchdiffeqConfig(**options)
