"""Units of what is shown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tbg_core.errors import ConfigError
from tbg_core.observables import Observable
from tbg_core.units import Units, energy_unit, thermal_energy, unit_factor


def test_names_of_units():
    assert Units.parse([]) == Units("kT", "degree", "nm")
    assert Units.parse(["kcal/mol", "Angstrom", "rad"]) == Units("kcal/mol", "rad", "angstrom")
    assert Units.parse(["KJ/mol", "deg"]) == Units("kJ/mol", "degree", "nm")
    assert Units.parse(["nm", "nm"]).length == "nm"
    with pytest.raises(ConfigError, match=r"unknown unit 'mile'. Units are kT, kJ/mol, kcal/mol, rad, degree, nm"):
        Units.parse(["mile"])
    with pytest.raises(ConfigError, match="two units of length: nm and angstrom"):
        Units.parse(["nm", "angstrom"])


def test_each_quantity_has_its_unit():
    units = Units.parse(["angstrom"])
    assert [units.of(u) for u in ("rad", "nm", "Hz", "")] == ["degree", "angstrom", "Hz", ""]


def test_factors():
    assert unit_factor("rad", "degree") == pytest.approx(180 / math.pi)
    assert unit_factor("angstrom", "nm") == pytest.approx(0.1)
    assert unit_factor("Hz", "Hz") == 1.0
    for unit, wanted in (("nm", "degree"), ("", "nm"), ("Hz", "kT")):
        with pytest.raises(ConfigError, match="cannot be turned into"):
            unit_factor(unit, wanted)


def test_energies():
    # 300 K: 2.494 kJ/mol, 0.596 kcal/mol.
    assert thermal_energy(300.0) == pytest.approx(2.49434, abs=1e-5)
    assert energy_unit("kcal/mol", 300.0) == pytest.approx(0.59616, abs=1e-5)


def test_an_observable_in_another_unit():
    angle = Observable("a", "rad", 2 * math.pi, lambda x: x[:, 0, 0], model_error=0.1)
    shown = angle.to("degree")
    assert (shown.unit, shown.period) == ("degree", pytest.approx(360.0))
    assert shown.model_error == pytest.approx(18 / math.pi)
    x = np.full((2, 1, 3), math.pi / 2)
    assert shown(x) == pytest.approx([90.0, 90.0])
    assert angle.to("rad") is angle
