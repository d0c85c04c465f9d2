"""Active learning on the Mueller-Brown surface, whose PMF is known by quadrature."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import tbg_core
from tbg_coarse.commands import app
from tbg_coarse.comparison import dynamics_cost
from tbg_coarse.exploration import Grid
from tbg_coarse.explore import Rounds, explore
from tbg_coarse.rounds import State
from tbg_coarse.run import make_plan, run_exploration
from tbg_core.errors import ConfigError, StorageError
from tbg_core.loading import load_target
from tbg_core.pipeline.progress import NullProgress
from tbg_core.storage.shards import ShardStore

SMALL = [
    "example_frames=2000", "example_steps=100", "steps=20", "draws=20", "points=10", "barrier=8", "heat=2",
    "model.width=32", "model.grid=96",
]  # fmt: skip


def plan(budget=9000, seed=2):
    return make_plan("mueller-brown", "x", None, None, budget, seed, SMALL)


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    out = tmp_path_factory.mktemp("coarse") / "run"
    return out, explore(plan(), out, NullProgress())


def exact_free_energy(x):
    """F(x) = -log of the integral of exp(-u) over y, by the trapezoidal rule."""
    y = np.linspace(-3.0, 5.0, 4001)
    target = load_target("mueller-brown", "mueller-brown")
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    u = target.reduced_energy(torch.from_numpy(points)).numpy().reshape(len(x), len(y))
    lowest = u.min()
    return lowest - np.log(np.exp(lowest - u).sum(1) * (y[1] - y[0]))


def test_the_pmf_is_that_of_quadrature(explored):
    _, rounds = explored
    last = rounds[-1]
    x = Grid(last.low, last.high, 96, periodic=False).centres[:, 0]
    exact = exact_free_energy(x)
    p = np.exp(-(exact - exact.min()))
    p /= p.sum()
    off = last.free_energy - exact  # absolute: labels have no free constant
    assert np.sqrt(p @ off**2) < 0.15
    known = exact - exact.min() < 5.0
    assert (
        np.sqrt(np.mean((off[known] / np.hypot(last.deviation[known], 0.05)) ** 2)) < 5.0
    )  # standard deviations are too small by a factor of one to four


def test_walkers_go_beyond_the_short_simulation(explored):
    last = explored[1][-1]
    start = explored[1][0].points
    assert last.labels.s.min() < -0.56 < 0.62 < last.labels.s.max()
    assert last.labels.s.min() < start.min()
    assert last.labels.s.max() > start.max()


def test_energies_are_counted_and_within_the_budget(explored):
    _, rounds = explored
    settings = plan().settings
    for before, after in pairwise(rounds):
        spent = after.evaluations - before.evaluations
        assert spent[0] == 0
        assert spent[1] in {settings.steps * settings.batch, settings.steps // 5 * settings.batch}
        assert spent[2] == settings.draws * (len(after.labels) - len(before.labels))
    assert rounds[-1].spent <= 9000
    assert rounds[0].evaluations[0] > settings.example_frames


class Killed(Exception):
    pass


def test_killed_and_resumed_is_as_if_nothing_had_happened(explored, tmp_path, monkeypatch):
    whole, rounds = explored
    advance = Rounds._explored
    calls = []

    def dying(self, state, random):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return advance(self, state, random)

    monkeypatch.setattr(Rounds, "_explored", dying)
    with pytest.raises(Killed):
        explore(plan(), tmp_path / "run", NullProgress())
    assert ShardStore(tmp_path / "run" / "rounds").indices == [0, 1]
    explore(plan(), tmp_path / "run", NullProgress())
    for name in [f"rounds/shard-{i:06d}.safetensors" for i in range(len(rounds))] + ["checkpoint/model.safetensors"]:
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_round_is_one_file(explored):
    whole, rounds = explored
    again = State.of(ShardStore(whole / "rounds").read(1))
    assert all(np.array_equal(again.arrays()[k], v) for k, v in rounds[1].arrays().items())
    assert again.arrays().keys() == rounds[1].arrays().keys()


def test_the_checkpoint_samples_without_bias(explored, tmp_path):
    whole, _ = explored
    ensemble = tbg_core.sample(
        whole / "checkpoint", system="mueller-brown", energy="mueller-brown", num_samples=4000, out=tmp_path / "run"
    )
    exact = load_target("mueller-brown", "mueller-brown").reference_values
    assert ensemble.reliability.reliable
    assert ensemble.ess / 4000 > 0.5
    assert abs(ensemble.log_z.value - exact["log_z"]) < 5 * ensemble.log_z.error
    mean = ensemble.expectation(lambda x: x[:, 0])
    assert abs(mean.value - exact["mean_x0"]) < 5 * mean.error


def test_the_command_compares_with_a_reference_and_with_dynamics(tmp_path):
    toy = {"system": "mueller-brown", "energy": "mueller-brown", "seed": 2}
    reference = tbg_core.simulate(**toy, walkers=2, frames=2000, out=tmp_path / "reference")
    md = tbg_core.simulate(**toy, options={"dynamics": "vector-langevin"}, walkers=2, frames=100, out=tmp_path / "md")
    assert dynamics_cost(Path(md)) == (0, 10)
    arguments = [
        "--system",
        "mueller-brown",
        "--cv",
        "x",
        "--energy-budget",
        "5000",
        "--out",
        str(tmp_path / "run"),
        "-q",
    ]
    arguments += [word for setting in SMALL for word in ("-s", setting)]
    arguments += ["--reference", str(reference), "--md", str(md)]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown == json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert shown["energy_evaluations"]["total"] <= 5000
    assert shown["trace"][-1]["forward_kl"] == shown["forward_kl"] < 0.5
    assert len(shown["dynamics_trace"][0]["forward_kl"]) == 2
    page = (tmp_path / "run" / "report.html").read_text()
    for text in ("Potential of mean force", "Energies against error", "walkers lost", "--cv x:0"):
        assert text in page
    assert "holds an earlier job" in str(CliRunner().invoke(app, arguments).exception)
    more = [*arguments, "--resume"]
    more[more.index("5000")] = "9000"
    assert CliRunner().invoke(app, more).exit_code == 0
    assert (
        json.loads((tmp_path / "run" / "metrics.json").read_text())["energy_evaluations"]["total"]
        > shown["energy_evaluations"]["total"]
    )


@pytest.mark.parametrize(
    ("setting", "what"),
    [("thresholt=1", "threshold"), ("points=0", "points"), ("model.bins=0", "bins"), ("draws", "KEY")],
)
def test_settings_that_make_no_sense_are_refused(setting, what):
    with pytest.raises(ConfigError, match=what):
        make_plan("mueller-brown", "x", None, None, 1000, 0, [setting])


def test_a_budget_that_is_too_small_is_named(tmp_path):
    with pytest.raises(ConfigError, match="one round"):
        explore(replace(plan(), budget=2500), tmp_path / "run", NullProgress())


def test_dynamics_are_compared_by_a_reference_alone(tmp_path):
    with pytest.raises(ConfigError, match="--reference"):
        run_exploration(plan(), tmp_path, resume=False, reference=None, md=tmp_path, progress=NullProgress())


def test_dynamics_of_unknown_cost_are_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("dynamics: {name: engine, timestep_fs: 1.0, temperatures_K: auto}")
    with pytest.raises(StorageError, match="not a plain simulation"):
        dynamics_cost(tmp_path)
