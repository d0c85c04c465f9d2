"""Conformance of likelihood rules."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from typing_extensions import override

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.system import Batch
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import ClassicRK4, CurvedField, LinearField, PairField, atoms, plane

if TYPE_CHECKING:
    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.likelihood import LikelihoodRule, Transport
    from tbg_core.contracts.system import System

_SOLVER = ClassicRK4(16)
_MATRIX = ((-0.6, 0.9, 0.1), (-0.8, 0.3, 0.2), (0.1, -0.3, -0.4))


class LikelihoodConformance(ABC):
    """What every likelihood rule must do. Give ``make``.

    Rules that declare ``biased`` are compared by their mean over random numbers, at five standard errors.

    Attributes:
        tolerance: Absolute error of ``log_det`` allowed on smooth fields of size one.
        repeats: Independent repetitions that the mean of a biased rule is taken over.
    """

    tolerance: float = 1e-5
    repeats: int = 400

    @abstractmethod
    def make(self) -> LikelihoodRule:
        """A fresh rule."""

    def _states(self, count: int, system: System) -> Tensor:
        generator = torch.Generator().manual_seed(7)
        x = torch.randn(count, *system.space.event_shape, generator=generator, dtype=torch.float64)
        return system.space.project(x)

    def _move(
        self, field: VectorField, system: System, x: Tensor, ends: tuple[float, float] = (0.0, 1.0), stream: str = "a"
    ) -> Transport:
        keys = SampleKeys.range(5, f"likelihood/{stream}", 0, len(x))
        batch = Batch.single(system, len(x))
        return self.make().transport(field.double(), _SOLVER, x, batch, *ends, keys=keys)

    def _compare(self, field: VectorField, system: System, x: Tensor, exact: Tensor) -> Transport:
        """Asserts that log_det is ``exact``, on average where the rule is biased; returns one transport."""
        moved = self._move(field, system, x)
        if not self.make().biased:
            assert (moved.log_det - exact).abs().max() < self.tolerance
            return moved
        many = self._move(field, system, x.repeat(self.repeats, 1)).log_det.view(self.repeats, len(x))
        error = many.std(dim=0) / math.sqrt(self.repeats) + self.tolerance
        assert ((many.mean(dim=0) - exact).abs() / error).max() < 5
        return moved

    def test_linear_field_has_its_log_determinant(self) -> None:
        """Of dx/dt = A x from 0 to 1 it is the trace of A, not its negative nor that of a single step."""
        system, matrix = plane(3), torch.tensor(_MATRIX, dtype=torch.float64)
        x = self._states(4, system)
        moved = self._compare(LinearField(_MATRIX), system, x, torch.trace(matrix).expand(4))
        assert (moved.x - x @ torch.linalg.matrix_exp(matrix).T).abs().max() < 1e-5

    def test_log_determinant_is_that_of_the_map(self) -> None:
        """log_det is log|det dx(1)/dx(0)|, here taken of the moved states themselves by differences."""
        system, field, h = plane(3), CurvedField(3), 1e-5
        x = self._states(3, system)
        steps = h * torch.eye(3, dtype=torch.float64)
        field = field.double()

        def end(x: Tensor) -> Tensor:
            batch = Batch.single(system, len(x))
            with torch.no_grad():
                return _SOLVER.integrate(lambda t, y, rows: (field(t, y, batch.select(rows)), {}), x, 0.0, 1.0).x

        columns = [end(x + e) - end(x - e) for e in steps]
        jacobian = torch.stack(columns, dim=2) / (2 * h)
        self._compare(field, system, x, torch.linalg.slogdet(jacobian).logabsdet)

    def test_log_determinant_changes_sign_backwards(self) -> None:
        """Back along the same path the volume returns; biased rules draw anew, so only states are compared."""
        system, field = plane(3), CurvedField(3)
        x = self._states(4, system)
        there = self._move(field, system, x)
        back = self._move(field, system, there.x, (1.0, 0.0))
        assert (back.x - x).abs().max() < 1e-5
        if not self.make().biased:
            assert (there.log_det + back.log_det).abs().max() < 2 * self.tolerance

    def test_result_has_the_stated_form(self) -> None:
        """x in its own type, everything else float64 or int64, one number per sample, no negative error."""
        system = plane(3)
        moved = self._move(CurvedField(3), system, self._states(4, system))
        assert moved.x.shape == (4, 3)
        for number in (moved.log_det, moved.log_det_err):
            assert number.shape == (4,)
            assert number.dtype == torch.float64
        for count in (moved.status, moved.evaluations):
            assert count.shape == (4,)
            assert count.dtype == torch.int64
        assert (moved.log_det_err >= 0).all()
        assert (moved.evaluations > 0).all()
        assert (moved.status == Status.OK).all()

    def test_randomness_is_declared_and_keyed(self) -> None:
        """The same keys give the same number. If other keys give another one, the rule is ``biased``."""
        system, field = plane(3), CurvedField(3)
        x = self._states(6, system)
        first, again, other = (self._move(field, system, x, stream=s).log_det for s in ("a", "a", "b"))
        assert torch.equal(first, again)
        if not self.make().biased:
            assert torch.equal(first, other), "log_det depends on the random keys: declare biased = True"

    def test_rows_do_not_depend_on_the_batch(self) -> None:
        """A sample's log_det does not change with its neighbours."""
        system, field, rule = plane(3), CurvedField(3).double(), self.make()
        x, keys = self._states(4, system), SampleKeys.range(5, "rows", 0, 4)
        together = rule.transport(field, _SOLVER, x, Batch.single(system, 4), 0.0, 1.0, keys=keys)
        for i in range(4):
            own = SampleKeys.range(5, "rows", i, i + 1)
            alone = rule.transport(field, _SOLVER, x[i : i + 1], Batch.single(system, 1), 0.0, 1.0, keys=own)
            assert (alone.log_det[0] - together.log_det[i]).abs() < 1e-10

    def test_rows_that_are_wanted_keep_their_numbers(self) -> None:
        """Where the volume of some rows only is wanted, theirs is the same; all rows move, and none is flagged."""
        system, field, rule = plane(3), CurvedField(3).double(), self.make()
        x, keys = self._states(6, system), SampleKeys.range(5, "rows", 0, 6)
        batch = Batch.single(system, 6)
        whole = rule.transport(field, _SOLVER, x, batch, 0.0, 1.0, keys=keys)
        edge = whole.x[:, 0].median()
        chosen = whole.x[:, 0] > edge
        part = rule.transport(field, _SOLVER, x, batch, 0.0, 1.0, keys=keys, wanted=lambda y: y[:, 0] > edge)
        assert (part.x - whole.x).abs().max() < 1e-10
        assert (part.log_det - whole.log_det)[chosen].abs().max() < 1e-10
        assert (part.status == Status.OK).all()

    def test_a_failing_sample_stays_alone(self) -> None:
        """A sample whose velocity is not a number gets a status; the others keep their numbers."""
        system = plane(3)
        x = self._states(4, system)
        healthy = self._move(CurvedField(3), system, x)
        spoiled = x.clone()
        spoiled[2] = 1e3
        moved = self._move(_Cliff(3), system, spoiled)
        assert moved.status.tolist() == [0, 0, int(Status.NONFINITE), 0]
        others = torch.tensor([0, 1, 3])
        assert (moved.log_det[others] - healthy.log_det[others]).abs().max() < 1e-10

    def test_padding_changes_nothing(self) -> None:
        """A small molecule beside a larger one has the log_det that it has alone."""
        large, small, field = atoms(4), atoms(3), PairField().double()
        x = torch.zeros(2, 4, 3, dtype=torch.float64)
        x[0], x[1, :3] = self._states(1, large)[0], self._states(1, small)[0]
        mask = torch.tensor([[True] * 4, [True] * 3 + [False]])
        keys, batch = SampleKeys.range(5, "padding", 0, 2), Batch((large, small), torch.tensor([0, 1]), mask)
        moved = self.make().transport(field, _SOLVER, x, batch, 0.0, 1.0, keys=keys)
        assert not moved.x[1, 3].any()
        if not self.make().biased:  # probes of a padded row are other numbers
            alone = self._move(field, small, x[1:, :3])
            assert (moved.log_det[1] - alone.log_det[0]).abs() < self.tolerance


class _Cliff(CurvedField):
    """Not a number far out."""

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        far = x.detach().abs().amax(dim=1, keepdim=True) > 100
        return torch.where(far, math.nan, super().forward(t, x, batch, condition))
