"""Every calculator passes the conformance kit."""

from __future__ import annotations

from typing import ClassVar

import pytest

from tbg_ase.backend import AseBackend
from tbg_ase.config import AseConfig
from tbg_ase.conformance import TestAse
from tbg_core.testing import EnergyConformance

__all__ = ["TestAse"]


class Calculator(EnergyConformance):
    """Give ``options``, and the name of the fixture with the molecule."""

    options: ClassVar = {}
    of = "water"

    @pytest.fixture(autouse=True)
    def system_and_states(self, request, near):
        self._system = request.getfixturevalue(self.of)
        self._states = near(self._system, 5)

    def make(self):
        return AseBackend(AseConfig(**self.options))

    def system(self):
        return self._system

    def states(self):
        return self._states


class TestGFN2(Calculator):
    """The SCF ends within thresholds: energies to 1e-5 kT when the molecule is moved, forces to 1e-4."""

    step = 1e-4
    gradient_rtol = 1e-3
    u_atol = 1e-5


class TestGFN1(TestGFN2):
    options: ClassVar = {"calculator": "gfn1-xtb"}


class TestGFN2InWater(TestGFN2):
    options: ClassVar = {"solvent": "water"}


class TestEMT(Calculator):
    options: ClassVar = {"calculator": "emt"}
    of = "copper"
    gradient_rtol = 1e-4


class TestLennardJones(Calculator):
    options: ClassVar = {"calculator": "lennard-jones", "sigma_nm": 0.34, "epsilon_kJ_mol": 1.0}
    of = "argon"


@pytest.mark.filterwarnings("ignore:TIP3P describes rigid waters")
class TestTIP3P(Calculator):
    options: ClassVar = {"calculator": "tip3p"}
    of = "two_waters"
    gradient_rtol = 1e-4


class TestWorkers(TestGFN2):
    options: ClassVar = {"workers": 2}

    # Of the tests that start processes, two are enough.
    test_gradient_by_finite_differences = None
    test_autograd_gives_the_same_gradient = None
    test_translation_changes_nothing = None
    test_energy_and_gradient_are_float64 = None
    test_rows_do_not_depend_on_the_batch = None
    test_evaluations_are_counted = None
