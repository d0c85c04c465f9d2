"""Step control of each sample for itself."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tbg_core.contracts.integrator import Status
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config
from tbg_solvers.control import Controller, Tolerance
from tbg_solvers.tableau import DORMAND_PRINCE


def solver(tolerance=1e-6, **options):
    return Dopri5(Dopri5Config(rtol=tolerance, atol=tolerance, **options))


def oscillator(rates, calls=None):
    """Rows turning in the plane, each at its own rate, with the turned angle as an accumulator."""

    def rhs(t, x, rows):
        if calls is not None:
            calls.append(rows.tolist())
        omega = rates[rows]
        turned = torch.stack([-x[:, 1], x[:, 0]], dim=1)
        return omega[:, None] * turned, {"angle": omega}

    return rhs


def start(n):
    return torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(n, 1)


def test_finished_samples_are_not_evaluated():
    calls = []
    rates = torch.tensor([0.1, 30.0, 3.0], dtype=torch.float64)
    solution = solver().integrate(oscillator(rates, calls), start(3), 0.0, 1.0)
    easy, hard, middle = solution.evaluations.tolist()
    assert easy < middle < hard
    assert calls[0] == [0, 1, 2]
    assert calls[-1] == [1]
    # First same as last: the slope at the start, one for the first step, then six a step.
    assert all((n - 2) % 6 == 0 for n in (easy, hard, middle))
    assert len(calls) == hard


@settings(max_examples=25, deadline=None)
@given(
    rates=st.lists(st.floats(0.01, 60.0), min_size=2, max_size=7),
    data=st.data(),
    backward=st.booleans(),
)
def test_numbers_do_not_depend_on_the_batch(rates, data, backward):
    rates = torch.tensor(rates, dtype=torch.float64)
    ends = (1.0, 0.0) if backward else (0.0, 1.0)
    together = solver().integrate(oscillator(rates), start(len(rates)), *ends, ("angle",))
    order = torch.tensor(data.draw(st.permutations(range(len(rates)))))
    some = order[: data.draw(st.integers(1, len(rates)))]
    apart = solver().integrate(oscillator(rates[some]), start(len(some)), *ends, ("angle",))
    assert torch.equal(apart.x, together.x[some])
    assert torch.equal(apart.accumulators["angle"], together.accumulators["angle"][some])
    assert torch.equal(apart.evaluations, together.evaluations[some])
    assert torch.equal(apart.path(0.3), together.path(0.3)[some])


@pytest.mark.parametrize("size", [1, 2, 7, 66, 129])
def test_numbers_do_not_depend_on_the_batch_for_long_events(size):
    """The sum over a row must not be ordered by where the row lies in memory."""
    x0 = torch.randn(33, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def rhs(t, x, rows):
        return x * x.cos() * 3 - t[:, None], {"a": x[:, 0] * x[:, -1]}

    together = solver().integrate(rhs, x0, 0.0, 1.0, ("a",))
    for some in (slice(5, 6), slice(0, 4), slice(3, 32)):
        apart = solver().integrate(rhs, x0[some], 0.0, 1.0, ("a",))
        assert torch.equal(apart.x, together.x[some])
        assert torch.equal(apart.accumulators["a"], together.accumulators["a"][some])


def test_accumulators_take_part_in_error_control():
    """An accumulator with a narrow peak in time makes the solver look there, though x is constant."""

    def rhs(t, x, rows):
        height = 1 / (0.05 * math.sqrt(math.pi))
        return torch.zeros_like(x), {"peak": height * torch.exp(-(((t - 0.4) / 0.05) ** 2))}

    solution = solver(1e-8, first_step=0.05).integrate(rhs, start(1), 0.0, 1.0, ("peak",))
    assert float(solution.accumulators["peak"]) == pytest.approx(1.0, abs=1e-6)


def test_accumulator_is_not_drowned_by_a_large_event():
    tolerance = Tolerance(1e-6, 1e-6, 99)
    error = torch.zeros(1, 100, dtype=torch.float64)
    error[0, -1] = 1e-6
    ones = torch.ones(1, 100, dtype=torch.float64)
    assert float(tolerance.norm(error, ones, ones)) == pytest.approx(0.5)


def test_padding_does_not_loosen_the_tolerance():
    rates = torch.tensor([7.0], dtype=torch.float64)

    def padded(t, x, rows):
        inner, values = oscillator(rates)(t, x[:, :2], rows)
        return torch.cat([inner, torch.zeros(len(x), 20, dtype=x.dtype)], dim=1), values

    plain = solver().integrate(oscillator(rates), start(1), 0.0, 1.0, ("angle",))
    wide = torch.cat([start(1), torch.zeros(1, 20, dtype=torch.float64)], dim=1)
    solution = solver().integrate(padded, wide, 0.0, 1.0, ("angle",))
    assert torch.equal(solution.evaluations, plain.evaluations)
    assert torch.allclose(solution.x[:, :2], plain.x, rtol=0, atol=1e-14)
    assert not solution.x[:, 2:].any()


def test_step_limit():
    rates = torch.tensor([0.1, 500.0], dtype=torch.float64)
    solution = solver(max_steps=20).integrate(oscillator(rates), start(2), 0.0, 1.0)
    assert solution.status.tolist() == [Status.OK, Status.STEP_LIMIT]
    reached = solution.x[1]
    # The last state reached is on the circle, and the path stays there.
    assert float(reached.norm()) == pytest.approx(1.0, abs=1e-3)
    assert torch.equal(solution.path(1.0)[1], reached)
    assert solution.evaluations[1] == 2 + 6 * 20


def test_blow_up_ends_before_the_pole():
    """dx/dt = x^2 from 2 has a pole at t = 1/2; from 0.5 it has none before t = 2."""

    def rhs(t, x, rows):
        return x**2, {}

    x0 = torch.tensor([[0.5], [2.0]], dtype=torch.float64)
    solution = solver(max_steps=5000).integrate(rhs, x0, 0.0, 1.0)
    assert solution.status[0] == Status.OK
    assert int(solution.status[1]) in {Status.STEP_TOO_SMALL, Status.NONFINITE}
    assert torch.isfinite(solution.x).all()
    assert float(solution.x[0]) == pytest.approx(1.0, abs=1e-5)
    assert torch.isfinite(solution.path(0.7)).all()


def test_discontinuous_noise_is_too_hard():
    """A right-hand side without any continuity lets no step through, however small."""

    def rhs(t, x, rows):
        return torch.sin(t * 1e18)[:, None] * 1e6 + 0 * x, {}

    solution = solver(1e-14, max_steps=2000).integrate(rhs, start(1), 0.0, 1.0)
    assert solution.status.tolist() == [Status.STEP_TOO_SMALL]


def test_not_finite_from_the_start():
    def rhs(t, x, rows):
        return x / x, {}

    x0 = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    solution = solver().integrate(rhs, x0, 0.0, 1.0)
    assert solution.status.tolist() == [Status.OK, Status.NONFINITE]
    assert solution.x[1] == 0.0
    assert solution.evaluations[1] == 1
    assert solution.path(0.5)[1] == 0.0


def test_gradient_of_the_solution():
    """Sensitivities follow by automatic differentiation: d x(1) / d omega of the oscillator."""
    rate = torch.tensor([1.3], dtype=torch.float64, requires_grad=True)
    solution = solver(1e-9).integrate(oscillator(rate), start(1), 0.0, 1.0)
    (gradient,) = torch.autograd.grad(solution.x[0, 0], rate)
    assert float(gradient) == pytest.approx(-math.sin(1.3), abs=1e-7)


def test_first_step_is_respected():
    times = []

    def rhs(t, x, rows):
        times.append(float(t[0]))
        return -x, {}

    solver(first_step=0.01).integrate(rhs, start(1), 0.0, 1.0)
    assert max(times[:7]) == pytest.approx(0.01)


def test_controller_shrinks_after_large_errors_and_grows_after_small_ones():
    controller = Controller(DORMAND_PRINCE)
    error = torch.tensor([1e-8, 0.5, 3.0, 1e9, math.nan], dtype=torch.float64)
    previous = torch.full_like(error, 0.5)
    yes, finite = torch.zeros(5, dtype=torch.bool), torch.isfinite(error)
    factor = controller.factor(error, previous, yes, finite)
    assert factor[0] == 10.0
    assert 0.9 < factor[1] < 1.1
    assert 0.5 < factor[2] < 0.9
    assert factor[3] == 0.2
    assert factor[4] == 0.1
    assert controller.factor(error, previous, ~yes, finite)[0] == 1.0
