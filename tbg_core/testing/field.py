"""Conformance of vector fields."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tbg_core.contracts.system import Batch, MeanFree, System

if TYPE_CHECKING:
    from tbg_core.contracts.field import VectorField

_SETTINGS = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)
_SEEDS = st.integers(min_value=0, max_value=2**31 - 1)


def _rotation(generator: torch.Generator) -> Tensor:
    """A random rotation [3, 3]."""
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    q = q * torch.sign(torch.diagonal(r))
    proper: Tensor = q * torch.linalg.det(q)
    return proper


class FieldConformance(ABC):
    """What every vector field must do.

    Give ``make`` (a field with weights that are not trivial: it must not vanish) and ``system``. The field is
    tested in float64.

    Attributes:
        spread: Standard deviation of the random states, in the flow's length units.
        atol: Rounding allowed, relative to the largest velocity.
    """

    spread: float = 1.0
    atol: float = 1e-9

    @abstractmethod
    def make(self) -> VectorField:
        """A field for :meth:`system`."""

    @abstractmethod
    def system(self) -> System:
        """A small system; the exact divergence is compared with a whole Jacobian."""

    def other_system(self) -> System | None:
        """A smaller system that the same field supports, for tests of padding; None skips them."""
        return None

    def states(self, count: int, seed: int, system: System | None = None) -> tuple[Tensor, Tensor]:
        """Random times [count] and states [count, *event], float64."""
        space = (system or self.system()).space
        generator = torch.Generator().manual_seed(seed)
        x = self.spread * torch.randn(count, *space.event_shape, generator=generator, dtype=torch.float64)
        return torch.rand(count, generator=generator, dtype=torch.float64), space.project(x)

    def _field(self) -> VectorField:
        return self.make().to(torch.float64).eval()

    def _close(self, a: Tensor, b: Tensor) -> None:
        a, b = a.detach(), b.detach()
        assert a.shape == b.shape
        assert (a - b).abs().max() <= self.atol * max(1.0, float(b.abs().max()))

    def test_velocity_has_the_shape_and_type_of_the_state(self) -> None:
        field, (t, x) = self._field(), self.states(3, 0)
        v = field(t, x, Batch.single(self.system(), 3))
        assert v.shape == x.shape
        assert v.dtype == x.dtype
        assert torch.isfinite(v).all()
        assert v.abs().max() > 0, "make() must give a field that does not vanish"
        single = field.to(torch.float32)(t.float(), x.float(), Batch.single(self.system(), 3))
        assert single.dtype == torch.float32

    def test_velocity_lies_on_the_space(self) -> None:
        system = self.system()
        t, x = self.states(4, 1)
        v = self._field()(t, x, Batch.single(system, 4))
        self._close(system.space.project(v), v)

    def test_rows_do_not_depend_on_the_batch(self) -> None:
        field, system, (t, x) = self._field(), self.system(), self.states(4, 2)
        together = field(t, x, Batch.single(system, 4))
        for i in range(4):
            self._close(field(t[i : i + 1], x[i : i + 1], Batch.single(system, 1)), together[i : i + 1])
        turned = field(t.flip(0), x.flip(0), Batch.single(system, 4))
        self._close(turned.flip(0), together)

    def test_a_bad_row_stays_alone(self) -> None:
        field, system, (t, x) = self._field(), self.system(), self.states(3, 3)
        batch = Batch.single(system, 3)
        good = field(t, x, batch)
        spoiled = x.clone()
        spoiled[1] = math.nan
        v = field(t, spoiled, batch)
        self._close(v[[0, 2]], good[[0, 2]])

    def test_divergence_is_the_trace_of_the_jacobian(self) -> None:
        field, system, (t, x) = self._field(), self.system(), self.states(3, 4)
        found = [field.velocity_and_divergence(t, x, Batch.single(system, 3))]
        # Sampling records no gradients, and a field may have a rule of its own for that.
        with torch.no_grad():
            found.append(field.velocity_and_divergence(t, x, Batch.single(system, 3)))
        for v, divergence in found:
            self._close(v, field(t, x, Batch.single(system, 3)))
            assert divergence.shape == (3,)
        for i in range(3):

            def velocity(y: Tensor, i: int = i) -> Tensor:
                v: Tensor = field(t[i : i + 1], y.reshape(1, *x.shape[1:]), Batch.single(system, 1)).reshape(-1)
                return v

            jacobian = torch.func.jacrev(velocity)(x[i].reshape(-1))
            for _, divergence in found:
                self._close(divergence[i].to(torch.float64), torch.trace(jacobian))

    @given(seed=_SEEDS)
    @_SETTINGS
    def test_rotations(self, seed: int) -> None:
        field, system = self._field(), self.system()
        if field.symmetry.group == "none":
            return
        t, x = self.states(2, seed)
        rotation = _rotation(torch.Generator().manual_seed(seed))
        batch = Batch.single(system, 2)
        self._close(field(t, x @ rotation.T, batch), field(t, x, batch) @ rotation.T)

    @given(seed=_SEEDS)
    @_SETTINGS
    def test_reflections(self, seed: int) -> None:
        """An E(3) field commutes with the inversion; one that is SE(3) only must not (it would be E(3))."""
        field, system = self._field(), self.system()
        if field.symmetry.group == "none":
            return
        t, x = self.states(2, seed)
        batch = Batch.single(system, 2)
        mirrored, v = field(t, -x, batch), field(t, x, batch)
        if field.symmetry.reflection:
            self._close(mirrored, -v)
        else:
            assert bool((mirrored + v).abs().max() > 1e-6 * v.abs().max())

    @given(seed=_SEEDS)
    @_SETTINGS
    def test_permutations_of_equal_atoms(self, seed: int) -> None:
        field, system = self._field(), self.system()
        if not field.symmetry.permutation:
            return
        generator = torch.Generator().manual_seed(seed)
        classes = field.atom_classes(system)
        order = torch.arange(len(classes))
        for label in set(classes.tolist()):
            members = torch.nonzero(classes == label).flatten()
            order[members] = members[torch.randperm(len(members), generator=generator)]
        t, x = self.states(2, seed)
        batch = Batch.single(system, 2)
        self._close(field(t, x[:, order], batch), field(t, x, batch)[:, order])

    @given(seed=_SEEDS)
    @_SETTINGS
    def test_translations(self, seed: int) -> None:
        field, system = self._field(), self.system()
        if not isinstance(system.space, MeanFree):
            return
        t, x = self.states(2, seed)
        shift = 3.0 * torch.randn(2, 1, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        batch = Batch.single(system, 2)
        self._close(field(t, x + shift, batch), field(t, x, batch))

    def test_atom_classes_label_every_atom(self) -> None:
        field, system = self._field(), self.system()
        classes = field.atom_classes(system)
        assert classes.shape == system.space.event_shape[:1]
        assert classes.dtype == torch.int64
        if not field.symmetry.permutation:
            assert len(set(classes.tolist())) == len(classes), "classes with members, but permutation not declared"

    def test_padding_changes_nothing(self) -> None:
        field, system, other = self._field(), self.system(), self.other_system()
        if other is None:
            pytest.skip("no other_system()")
        (n,), (m,) = system.space.event_shape[:1], other.space.event_shape[:1]
        assert m < n, "other_system() must be the smaller one"
        t, x = self.states(2, 5)
        _, small = self.states(1, 6, other)
        x[1] = 0.0
        x[1, :m] = small[0]
        mask = torch.ones(2, n, dtype=torch.bool)
        mask[1, m:] = False
        batch = Batch((system, other), torch.tensor([0, 1]), mask)
        v, divergence = field.velocity_and_divergence(t, x, batch)
        big = field.velocity_and_divergence(t[:1], x[:1], Batch.single(system, 1))
        little = field.velocity_and_divergence(t[1:], small, Batch.single(other, 1))
        self._close(v[:1], big[0])
        self._close(v[1:, :m], little[0])
        assert not v[1, m:].any()
        self._close(divergence, torch.cat([big[1], little[1]]))
