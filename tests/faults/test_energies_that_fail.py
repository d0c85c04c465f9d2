"""An energy of somebody else's that gives nan: those samples are invalid and counted, and the run is completed."""

from __future__ import annotations

import json
import shutil

import pytest

from tbg_core.ensemble import Ensemble

SOURCE = """
from tbg_core.config.base import ComponentConfig
from tbg_core.contracts.energy import EnergyBackend, Target
from tbg_core.registry import ComponentSpec, hookimpl
import torch

@hookimpl
def tbg_components():
    here = "fake_brittle"
    return [ComponentSpec(kind="energy", name="brittle", summary="x^2/2, but nan where x_0 is above a limit.",
                          target=f"{here}:Brittle", config=f"{here}:BrittleConfig")]

class BrittleConfig(ComponentConfig):
    limit: float = 0.5

class BrittleTarget(Target):
    def __init__(self, system, state, config):
        super().__init__(system, state)
        self.config = config

    def _evaluate(self, x, *, gradient):
        u = 0.5 * x.double().square().sum(dim=1)
        u[x[:, 0] > self.config.limit] = float("nan")
        return u, x.double() if gradient else None

class Brittle(EnergyBackend):
    def __init__(self, config):
        self.config = config

    def bind(self, system, state):
        return BrittleTarget(system, state, self.config)
"""


@pytest.fixture
def brittle(make_plugin, tbg, toy, tmp_path):
    """Samples the toy model with the brittle energy in a process of its own."""
    site = make_plugin("brittle", SOURCE)
    shutil.copytree(toy.folder / "train", tmp_path / "work" / "train")

    def run(*more):
        arguments = [a for a in toy.arguments("sample", "--energy=brittle", *more) if a != "--quiet"]
        return tbg(*arguments, path=site)

    return run


def test_some_are_nan(brittle, tmp_path):
    result = brittle("-n", "200", "-ssampling.block_size=100")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    ensemble = Ensemble.load(tmp_path / "work" / "sample")
    lost = ensemble.positions[:, 0] > 0.5
    assert 10 < lost.sum() < 190
    assert (ensemble.valid == ~lost).all()
    metrics = json.loads((tmp_path / "work" / "sample" / "metrics.json").read_text())
    assert metrics["attempted"] == 200
    assert metrics["dropped_by_reason"] == {"nonfinite_energy": int(lost.sum())}
    assert metrics["valid"] == int((~lost).sum())
    assert metrics["ess"] <= metrics["valid"]


def test_all_are_nan(brittle, tmp_path):
    result = brittle("-senergy.limit=-1e9")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    text = (tmp_path / "work" / "sample" / "metrics.json").read_text()
    metrics = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert metrics["valid"] == 0
    assert metrics["dropped_by_reason"] == {"nonfinite_energy": 28}
    assert metrics["reliable"] is False
    assert metrics["verdict"].startswith("NOT RELIABLE")
    assert "NOT RELIABLE" in (tmp_path / "work" / "sample" / "report.html").read_text()
