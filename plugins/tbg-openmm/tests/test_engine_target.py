"""The engine as the evaluator of the OpenMM energy."""

from __future__ import annotations

import logging

import openmm
import pytest
import torch
from pydantic import ValidationError

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import EnergyError
from tbg_core.testing.energy import EnergyConformance
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import OpenMMConfig
from tbg_openmm.engine.choice import choose_engine

STATE = ThermodynamicState(300.0)


class TestNative(EnergyConformance):
    step = 1e-6
    config = OpenMMConfig(evaluator="native")

    @pytest.fixture(autouse=True)
    def molecule(self, nma, near_reference):
        self.nma, self.near = nma, near_reference

    def make(self):
        return OpenMMBackend(self.config)

    def system(self):
        return self.nma

    def states(self):
        return self.near(self.nma, 5)


class TestTorch(TestNative):
    config = OpenMMConfig(evaluator="torch", preset="amber14-obc1-310K")


class TestSinglePrecision(TestNative):
    step = 1e-3
    gradient_rtol = 2e-2
    u_atol = 2e-3
    config = OpenMMConfig(evaluator="native", precision="single", workers=2)


def test_auto_takes_the_native_engine_and_says_how_not_what(gf, near_reference):
    x = near_reference(gf, 20)
    with OpenMMBackend(OpenMMConfig(evaluator="openmm")).bind(gf, STATE) as target:
        wanted, _ = target.energy_and_grad(x)
        by_openmm = target.describe()
    with OpenMMBackend(OpenMMConfig()).bind(gf, STATE) as target:
        u, _ = target.energy_and_grad(x)
        by_engine = target.describe()
    assert by_engine["platform"] == "engine (native)"
    assert by_engine["platform_properties"] == {"Precision": "double"}
    assert (u - wanted).abs().max() < 1e-3  # contexts here compute in single precision
    same = {key for key in by_openmm if not key.startswith("platform")}
    assert {key: by_engine[key] for key in same} == {key: by_openmm[key] for key in same}


def test_choosing_a_platform_chooses_openmm(nma):
    with OpenMMBackend(OpenMMConfig(platform="Reference")).bind(nma, STATE) as target:
        assert target.engine is None
        assert target.describe()["platform"] == "Reference"
    with pytest.raises(ValidationError, match="platform is OpenMM's; evaluator native has none"):
        OpenMMConfig(platform="Reference", evaluator="native")


UNREADABLE = """<ForceField><Script>
import openmm
sys.addForce(openmm.CustomBondForce("r"))
</Script></ForceField>"""


def test_what_cannot_be_read_goes_to_openmm_with_a_reason(nma, near_reference, caplog, tmp_path):
    path = tmp_path / "more.xml"
    path.write_text(UNREADABLE)
    files = {"preset": "custom", "forcefield": ("amber99sbildn.xml", str(path)), "trust_forcefield": True}
    with caplog.at_level(logging.INFO, "tbg_openmm"):
        target = OpenMMBackend(OpenMMConfig(**files)).bind(nma, STATE)
    assert target.engine is None
    assert "is evaluated by OpenMM, not by the energy engine: it has a CustomBondForce" in caplog.text
    assert target.describe()["platform_reason"] == "it has a CustomBondForce"
    assert torch.isfinite(target.reduced_energy(near_reference(nma, 1))).all()
    target.close()
    with pytest.raises(EnergyError, match="cannot read the force field of ACE-NME exactly: it has a CustomBondForce"):
        OpenMMBackend(OpenMMConfig(**files, evaluator="torch")).bind(nma, STATE)


def test_very_large_systems_go_to_openmm():
    system = openmm.System()
    for _ in range(1001):
        system.addParticle(1.0)
    engine, reason = choose_engine(system, "dust", "auto", "mixed", 1)
    assert engine is None
    assert "more than 1000 atoms" in reason
    engine, _ = choose_engine(system, "dust", "torch", "single", 1)
    assert engine.dtype == torch.float32


def test_where_nothing_is_finite_nothing_is_pushed(nma, near_reference):
    x = near_reference(nma, 4)
    x[0, 3] = torch.inf
    x[1, 2, 0] = torch.nan
    x[2, 1] = x[2, 0]
    with OpenMMBackend(OpenMMConfig()).bind(nma, STATE) as target:
        u, gradient = target.energy_and_grad(x)
        good, slope = target.energy_and_grad(x[3:])
    assert not torch.isfinite(u[:3]).any()
    assert (gradient[:3] == 0).all()
    assert torch.equal(u[3:], good)
    assert torch.equal(gradient[3:], slope)
