"""Conformance of integrators."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from tbg_core.contracts.integrator import Integrator, Rhs, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

_MATRIX = torch.tensor([[-0.6, 0.9, 0.1], [-0.8, 0.3, 0.2], [0.1, -0.3, -0.4]], dtype=torch.float64)


def _linear(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:  # noqa: ARG001
    """dx/dt = (1 + t) A x, which the exponential of 3/2 A solves from 0 to 1; with its divergence."""
    speed = 1.0 + t
    rate = speed.double() * torch.trace(_MATRIX)
    return speed[:, None] * (x @ _MATRIX.to(x.dtype).T), {"log_det": rate}


def _states(count: int = 5, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(count, 3, generator=generator, dtype=torch.float64).to(dtype)


class IntegratorConformance(ABC):
    """What every integrator must do.

    Give ``make``, an integrator set up well enough that a smooth problem on [0, 1] is solved to
    ``tolerance``.

    Attributes:
        tolerance: Absolute error allowed on problems of size one.
        path_tolerance: The same in the middle of the interval, by dense output.
    """

    tolerance: float = 1e-6
    path_tolerance: float = 1e-5

    @abstractmethod
    def make(self) -> Integrator:
        """A fresh integrator."""

    def test_linear_problem_is_solved_with_its_log_determinant(self) -> None:
        x0 = _states()
        solution = self.make().integrate(_linear, x0, 0.0, 1.0, ("log_det",))
        exact = x0 @ torch.linalg.matrix_exp(1.5 * _MATRIX).T
        assert (solution.x - exact).abs().max() < self.tolerance
        log_det = solution.accumulators["log_det"]
        assert log_det.dtype == torch.float64
        assert (log_det - 1.5 * torch.trace(_MATRIX)).abs().max() < self.tolerance
        assert (solution.status == Status.OK).all()

    def test_forward_then_backward_returns(self) -> None:
        x0, solver = _states(), self.make()
        forward = solver.integrate(_linear, x0, 0.0, 1.0, ("log_det",))
        back = solver.integrate(_linear, forward.x, 1.0, 0.0, ("log_det",))
        assert (back.x - x0).abs().max() < 10 * self.tolerance
        total = forward.accumulators["log_det"] + back.accumulators["log_det"]
        assert total.abs().max() < 10 * self.tolerance

    @pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.0)])
    def test_path_runs_from_end_to_end(self, ends: tuple[float, float]) -> None:
        x0, (t0, t1) = _states(), ends
        solution = self.make().integrate(_linear, x0, t0, t1)
        assert torch.allclose(solution.path(t0), x0, rtol=0, atol=1e-12)
        assert torch.allclose(solution.path(t1), solution.x, rtol=0, atol=1e-12)
        for t in (0.1, 0.437, 0.9):
            grown = (t + t * t / 2) - (t0 + t0 * t0 / 2)
            exact = x0 @ torch.linalg.matrix_exp(grown * _MATRIX).T
            assert (solution.path(t) - exact).abs().max() < self.path_tolerance

    def test_path_refuses_times_outside(self) -> None:
        path = self.make().integrate(_linear, _states(), 0.0, 1.0).path
        with pytest.raises(ValueError, match="outside"):
            path(1.5)

    def test_evaluations_are_counted_per_sample(self) -> None:
        seen = torch.zeros(5, dtype=torch.int64)

        def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
            assert t.shape == rows.shape == x.shape[:1]
            seen[rows] += 1
            return _linear(t, x, rows)

        solution = self.make().integrate(rhs, _states(), 0.0, 1.0)
        assert solution.evaluations.dtype == torch.int64
        assert solution.evaluations.tolist() == seen.tolist()

    def test_rows_name_the_samples(self) -> None:
        rates = torch.linspace(-1.0, 1.5, 5, dtype=torch.float64)

        def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
            return rates[rows, None] * x + 0 * t[:, None], {}

        x0 = _states()
        x = self.make().integrate(rhs, x0, 0.0, 1.0).x
        assert (x - x0 * rates.exp()[:, None]).abs().max() < self.tolerance * 10

    def test_samples_do_not_depend_on_their_neighbours(self) -> None:
        solver = self.make()
        if solver.batch_coupled:
            pytest.skip("declares batch_coupled")
        stiffness = torch.tensor([1.0, 200.0, 3.0, 0.2, 40.0], dtype=torch.float64)

        def problem(which: Tensor) -> Rhs:
            def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
                slope = stiffness[which][rows, None] * torch.sin(x + t[:, None])
                return slope, {"sum": slope[:, 0] + slope[:, 1]}

            return rhs

        x0, everyone = _states(), torch.arange(5)
        together = solver.integrate(problem(everyone), x0, 0.0, 1.0, ("sum",))
        for i in range(5):
            alone = solver.integrate(problem(everyone[i : i + 1]), x0[i : i + 1], 0.0, 1.0, ("sum",))
            assert torch.equal(alone.x[0], together.x[i])
            assert torch.equal(alone.accumulators["sum"][0], together.accumulators["sum"][i])
            assert alone.evaluations[0] == together.evaluations[i]
            assert torch.equal(alone.path(0.37)[0], together.path(0.37)[i])

    def test_a_failing_sample_keeps_its_last_finite_state_and_disturbs_no_one(self) -> None:
        def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
            dead = (rows == 2) & (t > 0.5)
            slope, rates = _linear(t, x, rows)
            return torch.where(dead[:, None], math.nan, slope), rates

        x0, solver = _states(), self.make()
        solution = solver.integrate(rhs, x0, 0.0, 1.0, ("log_det",))
        healthy = solver.integrate(_linear, x0, 0.0, 1.0, ("log_det",))
        assert solution.status.tolist() == [0, 0, int(Status.NONFINITE), 0, 0]
        assert torch.isfinite(solution.x).all()
        assert torch.isfinite(solution.path(1.0)).all()
        assert (solution.x[2] - x0[2]).abs().max() > 0
        others = torch.tensor([0, 1, 3, 4])
        if not solver.batch_coupled:
            assert torch.allclose(solution.x[others], healthy.x[others], rtol=0, atol=1e-12)

    def test_type_and_shape_are_kept(self) -> None:
        x0 = _states(6, torch.float32).reshape(2, 3, 3)

        def rhs(t: Tensor, x: Tensor, rows: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
            assert x.dtype == torch.float32
            assert x.shape[1:] == (3, 3)
            assert len(t) == len(rows) == len(x)
            return -x, {"rate": torch.ones(len(x))}

        solution = self.make().integrate(rhs, x0, 0.0, 1.0, ("rate",))
        assert solution.x.dtype == torch.float32
        assert solution.x.shape == solution.path(0.5).shape == (2, 3, 3)
        assert (solution.x - x0 * math.exp(-1)).abs().max() < self.tolerance + 1e-5
        assert solution.accumulators["rate"].dtype == torch.float64

    def test_nothing_to_do(self) -> None:
        solver, x0 = self.make(), _states()
        still = solver.integrate(_linear, x0, 0.3, 0.3, ("log_det",))
        assert torch.equal(still.x, x0)
        assert torch.equal(still.path(0.3), x0)
        assert not still.accumulators["log_det"].any()
        empty = solver.integrate(_linear, x0[:0], 0.0, 1.0, ("log_det",))
        assert empty.x.shape == (0, 3)
        assert empty.accumulators["log_det"].shape == (0,)
        assert empty.path(0.5).shape == (0, 3)
