"""``tbg toys``, and the section that toys add to a report."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import RecordedSystem
from tbg_toys.commands import show
from tbg_toys.config import TOYS
from tbg_toys.lookup import energy_of, find_toy, toy_target
from tbg_toys.plugin import tbg_commands, tbg_report_sections
from tbg_toys.report import estimates


@pytest.mark.parametrize("toy", TOYS)
def test_exact_values_are_shown(toy):
    result = CliRunner().invoke(show, [toy, "--temperature", "400", "--json"])
    shown = json.loads(result.stdout)
    assert shown["temperature_K"] == 400.0
    assert shown["exact"] == dict(toy_target(find_toy(toy), 400.0, {}).reference_values)


@pytest.mark.parametrize("name", ["mueller-brown", "double-well:3"])
def test_the_potential_is_drawn(name, tmp_path):
    path = tmp_path / "potential.svg"
    result = CliRunner().invoke(show, [name, "--plot", str(path)])
    assert result.exit_code == 0
    assert "<svg" in path.read_text()
    assert "log_z" in result.stdout


def test_commands_are_in_the_group_of_toys():
    assert [c.name for c in tbg_commands()] == ["toys", "toys list", "toys show"]


def ensemble(toy, count=4000, **provenance):
    """Exact samples: every weight is exp(-log Z) to the last digit."""
    system = find_toy(toy)
    target = toy_target(system, 300.0, {})
    x = target.draw(np.random.default_rng(1), count).astype(np.float32)
    u = target.reduced_energy(torch.from_numpy(x).double()).numpy()
    recorded = RecordedSystem(system.name, system.key, system.space.event_shape, system.space.dim)
    log_q = -u - target.reference_values["log_z"]
    zeros = np.zeros(count)
    facts = {"energy": energy_of(system.toy), "target": target.describe(), **provenance}
    return Ensemble(recorded, 300.0, x, log_q, u, np.ones(count, bool), zeros, zeros.astype(int), provenance=facts)


@pytest.mark.parametrize("toy", ["mueller-brown", "asymmetric-double-well", "gaussian-mixture:1"])
def test_estimates_are_compared_with_what_is_exact(toy):
    sample = ensemble(toy)
    target = toy_target(find_toy(toy), 300.0, {})
    for name, exact, estimate in estimates(sample, target):
        # Exact samples: five standard errors; log Z has none, for all weights are equal.
        assert abs(estimate.value - exact) <= 5 * estimate.error + 1e-9, name


def test_the_report_of_a_toy_has_its_section():
    (section,) = tbg_report_sections(ensemble("mueller-brown"))
    assert section.title == "Exact values"
    for text in ("log Z", "F(basin 1)", "<svg", "samples on the potential of mueller-brown"):
        assert text in section.html
    assert "<script" not in section.html


@pytest.mark.parametrize("change", [{"energy": "another"}, {}])
def test_other_runs_have_none(change):
    sample = ensemble("mueller-brown", 50, **change)
    if not change:
        stranger = RecordedSystem("mueller-brown", "0" * 64, (2,), 2)
        sample = Ensemble(**{**sample.__dict__, "system": stranger})
    assert tbg_report_sections(sample) == []
