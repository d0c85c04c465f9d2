"""Conformance of energy backends and their targets."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from tbg_core.contracts.energy import EnergyBackend, ThermodynamicState
from tbg_core.contracts.system import MeanFree, System


class EnergyConformance(ABC):
    """What every energy backend must do. Give ``make``, ``system`` and, for molecules, ``states``.

    Attributes:
        step: Step of the central differences, in the units of the states.
        gradient_rtol: Error of a directional derivative allowed, relative to the largest one.
        u_atol: Error of u allowed where only rounding may differ (kT).
        temperature_K: Where the target is bound; None means the backend's default.
    """

    step: float = 1e-5
    gradient_rtol: float = 1e-5
    u_atol: float = 1e-9
    temperature_K: float | None = None

    @abstractmethod
    def make(self) -> EnergyBackend:
        """The backend."""

    @abstractmethod
    def system(self) -> System:
        """A small system that it supports."""

    def states(self) -> Tensor:
        """Five different states [5, *event], float64, with finite energies."""
        shape = self.system().space.event_shape
        return torch.randn(5, *shape, generator=torch.Generator().manual_seed(11), dtype=torch.float64)

    def _state(self, backend: EnergyBackend) -> ThermodynamicState:
        return ThermodynamicState(self.temperature_K or backend.default_temperature_K(self.system()))

    def test_energy_and_gradient_are_float64(self) -> None:
        backend, x = self.make(), self.states()
        with backend.bind(self.system(), self._state(backend)) as target:
            u, gradient = target.energy_and_grad(x)
            assert u.shape == (len(x),)
            assert gradient.shape == x.shape
            assert u.dtype == gradient.dtype == torch.float64
            assert torch.isfinite(u).all()
            assert torch.isfinite(gradient).all()
            assert (target.reduced_energy(x) - u).abs().max() <= self.u_atol
            single, _ = target.energy_and_grad(x.float())
            assert single.dtype == torch.float64

    def test_gradient_by_finite_differences(self) -> None:
        backend, x = self.make(), self.states()
        generator = torch.Generator().manual_seed(5)
        with backend.bind(self.system(), self._state(backend)) as target:
            _, gradient = target.energy_and_grad(x)
            for _ in range(3):
                direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
                rise = target.reduced_energy(x + self.step * direction)
                fall = target.reduced_energy(x - self.step * direction)
                slope = (rise - fall) / (2 * self.step)
                exact = (gradient * direction).flatten(1).sum(dim=1)
                allowed = self.gradient_rtol * max(1.0, float(exact.abs().max()))
                assert (slope - exact).abs().max() < allowed

    def test_autograd_gives_the_same_gradient(self) -> None:
        backend, x = self.make(), self.states()
        with backend.bind(self.system(), self._state(backend)) as target:
            _, gradient = target.energy_and_grad(x)
            leaf = x.clone().requires_grad_()
            weights = torch.linspace(0.5, 2.0, len(x), dtype=torch.float64)
            (got,) = torch.autograd.grad((weights * target.reduced_energy(leaf)).sum(), leaf)
            expected = gradient * weights.reshape(-1, *(1,) * (x.ndim - 1))
            assert torch.allclose(got, expected, rtol=1e-6, atol=self.u_atol * 1e3)

    def test_rows_do_not_depend_on_the_batch(self) -> None:
        backend, x = self.make(), self.states()
        with backend.bind(self.system(), self._state(backend)) as target:
            u = target.reduced_energy(x)
            for i in range(len(x)):
                assert abs(float(target.reduced_energy(x[i : i + 1])[0] - u[i])) <= self.u_atol
            assert (target.reduced_energy(x.flip(0)).flip(0) - u).abs().max() <= self.u_atol

    def test_a_bad_row_stays_alone(self) -> None:
        backend, x = self.make(), self.states()
        with backend.bind(self.system(), self._state(backend)) as target:
            u, gradient = target.energy_and_grad(x)
            spoiled = x.clone()
            spoiled[2] = math.nan
            bad_u, bad_gradient = target.energy_and_grad(spoiled)
            assert not torch.isfinite(bad_u[2])
            others = [i for i in range(len(x)) if i != 2]
            assert (bad_u[others] - u[others]).abs().max() <= self.u_atol
            assert torch.allclose(bad_gradient[others], gradient[others], rtol=1e-6, atol=self.u_atol * 1e3)

    def test_translation_changes_nothing(self) -> None:
        backend, system, x = self.make(), self.system(), self.states()
        if not isinstance(system.space, MeanFree):
            return
        with backend.bind(system, self._state(backend)) as target:
            moved = target.reduced_energy(x + 0.05)
            allowed = max(self.u_atol, 1e-9 * float(moved.abs().max()))
            assert (moved - target.reduced_energy(x)).abs().max() <= allowed

    def test_evaluations_are_counted(self) -> None:
        backend, x = self.make(), self.states()
        with backend.bind(self.system(), self._state(backend)) as target:
            assert target.evaluations == 0
            target.reduced_energy(x)
            target.energy_and_grad(x[:2])
            assert target.evaluations == len(x) + 2

    def test_description_and_reference_values(self) -> None:
        backend = self.make()
        target = backend.bind(self.system(), self._state(backend))
        assert target.describe()["temperature_K"] == target.state.temperature_K
        json.dumps(target.describe())
        assert all(math.isfinite(value) for value in target.reference_values.values())
        target.close()
        target.close()
