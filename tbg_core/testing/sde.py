"""Conformance of SDE integrators."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.sde import SdeIntegrator, SdeSolution, Step, elapsed, ito, stratonovich
from tbg_core.randomness import SampleKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.contracts.sde import Accumulator

_PULL = 0.7


def _relax(t: Tensor, x: Tensor, rows: Tensor) -> Tensor:  # noqa: ARG001
    return -_PULL * (1.0 + t).view(-1, *(1,) * (x.ndim - 1)) * x


def _free(t: Tensor, x: Tensor, rows: Tensor) -> Tensor:  # noqa: ARG001
    return 0.0 * x


def _ramp(t: float, dw: Tensor) -> Tensor:
    """Noise that grows with time, and is correlated between the two coordinates."""
    return (1.0 + t) * torch.stack([dw[:, 0], 0.6 * dw[:, 0] + 0.8 * dw[:, 1]], dim=1)


def _still(t: float, dw: Tensor) -> Tensor:  # noqa: ARG001
    return 0.0 * dw


def _root_two(t: float, dw: Tensor) -> Tensor:  # noqa: ARG001
    return math.sqrt(2.0) * dw


def _keys(count: int, start: int = 0, seed: int = 5) -> SampleKeys:
    return SampleKeys.range(seed, "sde", start, start + count)


def _states(count: int = 5) -> Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


class SdeConformance(ABC):
    """What every SDE integrator must do.

    Give ``make``, an integrator set up well enough that averages of a smooth problem on [0, 1] are right to
    ``tolerance``.

    Attributes:
        tolerance: Error of the discretisation allowed on problems of size one.
        samples: Paths of the statistical tests, which are decided at five standard errors beside the tolerance.
    """

    tolerance: float = 1e-2
    samples: int = 4000

    @abstractmethod
    def make(self) -> SdeIntegrator:
        """A fresh integrator."""

    def _solve(
        self,
        x0: Tensor,
        t0: float = 0.0,
        t1: float = 1.0,
        accumulators: Mapping[str, Accumulator] | None = None,
        *,
        keep: int = 0,
        start: int = 0,
    ) -> SdeSolution:
        return self.make().integrate(_relax, _ramp, x0, t0, t1, _keys(len(x0), start), accumulators, keep=keep)

    def test_without_noise_it_solves_the_ordinary_equation(self) -> None:
        """Either way in time."""
        x0 = _states()
        for t0, t1 in ((0.0, 1.0), (1.0, 0.0)):
            solution = self.make().integrate(_relax, _still, x0, t0, t1, _keys(5))
            grown = (t1 + t1 * t1 / 2) - (t0 + t0 * t0 / 2)
            assert (solution.x - x0 * math.exp(-_PULL * grown)).abs().max() < 5 * self.tolerance
            assert (solution.status == Status.OK).all()

    @pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.0)])
    def test_mean_and_covariance_of_a_linear_equation_are_right(self, ends: tuple[float, float]) -> None:
        """Its law is Gaussian and known, with a diffusion that depends on time and mixes coordinates, either way."""
        t0, t1 = ends
        sign = math.copysign(1.0, t1 - t0)
        start = torch.tensor([[1.5, -0.5]], dtype=torch.float64)
        drawn = self._solve(start.expand(self.samples, 2).clone(), t0, t1).x
        grid = torch.linspace(t0, t1, 4001, dtype=torch.float64)
        left = (t1 + t1 * t1 / 2) - (grid + grid * grid / 2)
        growth = torch.trapezoid(torch.exp(-2 * _PULL * left) * (1 + grid) ** 2, grid) * sign
        mean = start[0] * torch.exp(-_PULL * left[0])
        covariance = growth * torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64)
        error = (covariance.diagonal() / self.samples).sqrt()
        assert ((drawn.mean(dim=0) - mean).abs() < 5 * error + 5 * self.tolerance).all()
        assert (
            (drawn.T.cov() - covariance).abs() < growth * (5 * math.sqrt(2 / self.samples) + 5 * self.tolerance)
        ).all()

    def test_accumulators_follow_the_steps(self) -> None:
        """Increments add up to the change of the state, lengths to the interval; midpoints obey the chain rule."""
        x0 = _states()
        sums: dict[str, Accumulator] = {
            "dx": lambda step: step.dx[:, 0],
            "length": lambda step: torch.full((len(step.x),), step.dt, dtype=torch.float64),
            "chain": stratonovich(lambda t, x: x),  # noqa: ARG005
            "age": elapsed(lambda t, x: t),  # noqa: ARG005
        }
        for t0, t1 in ((0.0, 1.0), (1.0, 0.0)):
            solution = self._solve(x0, t0, t1, sums)
            found = solution.accumulators
            assert all(value.dtype == torch.float64 for value in found.values())
            assert (found["dx"] - (solution.x - x0)[:, 0]).abs().max() < 1e-9
            assert (found["length"] - (t1 - t0)).abs().max() < 1e-9
            half = 0.5 * (solution.x.square() - x0.square()).sum(dim=1)
            assert (found["chain"] - half).abs().max() < 1e-9
            assert (found["age"] - 0.5 * (t1**2 - t0**2)).abs().max() < 1e-6

    def test_ito_and_stratonovich_differ_by_the_variation(self) -> None:
        """On average by half of it: x . dX at the beginning of a step against its middle, with G G^T = 2."""
        both: dict[str, Accumulator] = {
            "ito": ito(lambda t, x: x),  # noqa: ARG005
            "midpoint": stratonovich(lambda t, x: x),  # noqa: ARG005
        }
        x0 = torch.zeros(self.samples, 2, dtype=torch.float64)
        found = self.make().integrate(_free, _root_two, x0, 0.0, 1.0, _keys(self.samples), both).accumulators
        gap = found["midpoint"] - found["ito"]
        assert abs(float(gap.mean()) - 2.0) < 5 * float(gap.std()) / math.sqrt(self.samples)

    def test_wiener_increments_are_what_drives_it(self) -> None:
        """Without drift the state moves by them; they are normal, of variance |dt|, in their own order."""
        solution = self.make().integrate(
            _free,
            _root_two,
            torch.zeros(self.samples, 2, dtype=torch.float64),
            1.0,
            0.0,
            _keys(self.samples),
            {"w": lambda step: step.dw[:, 1], "square": lambda step: step.dw.square().sum(dim=1)},
        )
        assert (solution.x[:, 1] - math.sqrt(2) * solution.accumulators["w"]).abs().max() < 1e-9
        w, square = solution.accumulators["w"], solution.accumulators["square"]
        assert abs(float(w.mean())) < 5 / math.sqrt(self.samples)
        assert abs(float(w.var()) - 1.0) < 5 * math.sqrt(2 / self.samples)
        assert abs(float(square.mean()) - 2.0) < 5 * float(square.std()) / math.sqrt(self.samples)

    def test_sample_depends_on_its_own_key_alone(self) -> None:
        """Neither the rows beside it nor their number change a path."""
        x0 = _states(8)
        sums = {"sum": ito(lambda t, x: torch.sin(x))}  # noqa: ARG005
        together, again = self._solve(x0, accumulators=sums), self._solve(x0, accumulators=sums)
        assert torch.equal(together.x, again.x)
        part = self._solve(x0[5:], accumulators=sums, start=5)
        assert torch.equal(part.x, together.x[5:])
        assert torch.equal(part.accumulators["sum"], together.accumulators["sum"][5:])
        other = self.make().integrate(_relax, _ramp, x0, 0.0, 1.0, _keys(8, seed=6))
        assert not torch.isclose(other.x, together.x).any()

    @pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, 0.0)])
    def test_trajectory_runs_from_end_to_end(self, ends: tuple[float, float]) -> None:
        """And is only made on request; keeping it changes nothing."""
        x0, (t0, t1) = _states(), ends
        sums = {"chain": stratonovich(lambda t, x: x)}  # noqa: ARG005
        plain, kept = self._solve(x0, t0, t1, sums), self._solve(x0, t0, t1, sums, keep=3)
        assert plain.trajectory is None
        assert torch.equal(plain.x, kept.x)
        way = kept.trajectory
        assert way is not None
        assert len(way.times) == len(way.x) == len(way.accumulators["chain"])
        assert way.x.shape[1:] == x0.shape
        assert (float(way.times[0]), float(way.times[-1])) == (t0, t1)
        assert ((way.times.diff() * (t1 - t0)) > 0).all()
        assert torch.equal(way.x[0], x0)
        assert torch.equal(way.x[-1], kept.x)
        half = 0.5 * (way.x.square() - x0.square()).sum(dim=2)
        assert (way.accumulators["chain"] - half).abs().max() < 1e-9

    def test_evaluations_are_counted_per_sample(self) -> None:
        seen = torch.zeros(5, dtype=torch.int64)

        def drift(t: Tensor, x: Tensor, rows: Tensor) -> Tensor:
            assert t.shape == rows.shape == x.shape[:1]
            seen[rows] += 1
            return _relax(t, x, rows)

        solution = self.make().integrate(drift, _ramp, _states(), 0.0, 1.0, _keys(5))
        assert solution.evaluations.dtype == torch.int64
        assert solution.evaluations.tolist() == seen.tolist()

    def test_a_failing_sample_keeps_its_last_finite_state_and_disturbs_no_one(self) -> None:
        def drift(t: Tensor, x: Tensor, rows: Tensor) -> Tensor:
            dead = (rows == 2) & (t > 0.5)
            return torch.where(dead[:, None], math.nan, _relax(t, x, rows))

        sums = {"steps": lambda step: torch.ones(len(step.x)), "chain": stratonovich(lambda t, x: x)}  # noqa: ARG005
        solution = self.make().integrate(drift, _ramp, _states(), 0.0, 1.0, _keys(5), sums, keep=1)
        healthy = self._solve(_states(), accumulators=sums)
        assert solution.status.tolist() == [0, 0, int(Status.NONFINITE), 0, 0]
        assert torch.isfinite(solution.x).all()
        assert all(torch.isfinite(value).all() for value in solution.accumulators.values())
        assert solution.trajectory is not None
        assert torch.isfinite(solution.trajectory.x).all()
        assert (solution.x[2] - _states()[2]).abs().max() > 0
        others = torch.tensor([0, 1, 3, 4])
        assert torch.equal(solution.x[others], healthy.x[others])
        steps = solution.accumulators["steps"]
        assert 0 < steps[2] < steps[0]

    def test_type_and_shape_are_kept(self) -> None:
        x0 = torch.ones(2, 3, 3)

        def drift(t: Tensor, x: Tensor, rows: Tensor) -> Tensor:
            assert x.dtype == t.dtype == torch.float32
            assert x.shape[1:] == (3, 3)
            assert len(t) == len(rows) == len(x)
            return -x

        def look(step: Step) -> Tensor:
            assert step.dx.shape == step.dw.shape == step.x.shape
            assert step.dx.dtype == torch.float32
            return step.dx.flatten(1).sum(dim=1)

        solution = self.make().integrate(drift, _root_two, x0, 0.0, 1.0, _keys(2), {"sum": look})
        assert solution.x.dtype == torch.float32
        assert solution.x.shape == (2, 3, 3)
        assert solution.accumulators["sum"].dtype == torch.float64

    def test_nothing_to_do(self) -> None:
        x0, sums = _states(), {"sum": ito(lambda t, x: x)}  # noqa: ARG005
        still = self._solve(x0, 0.3, 0.3, sums, keep=1)
        assert torch.equal(still.x, x0)
        assert not still.accumulators["sum"].any()
        assert still.trajectory is not None
        assert torch.equal(still.trajectory.x, x0[None])
        empty = self._solve(x0[:0], 0.0, 1.0, sums)
        assert empty.x.shape == (0, 2)
        assert empty.accumulators["sum"].shape == (0,)
