"""``tbg thermo``: the page and the numbers, of a mixture and of a trained model; what it refuses."""

from __future__ import annotations

import json

import pytest

import tbg_core
from tbg_core.cli.main import main


def thermo(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["thermo", *map(str, arguments), "-q"])
    return ended.value.code


def test_a_mixture(tmp_path, capsys):
    out = tmp_path / "thermo"
    assert not thermo("--mixture", "1,1", "--trajectories", 300, "--steps", 60, "--time", 3, "--out", out)
    printed = capsys.readouterr().out
    assert "formula 0.34657" in printed
    numbers = json.loads((out / "thermo.json").read_text())
    assert numbers["known"]["phase"] == "stable breaking"
    for d in numbers["directions"].values():
        assert abs(d["integral"]["exponential"] - 1) < 5 * d["integral"]["exponential_err"]
    page = (out / "report.html").read_text()
    assert page.count("<svg") >= 10
    for heading in ("Fluctuation theorems", "Entropies along time", "Collapse"):
        assert heading in page


def test_a_trained_model(tmp_path):
    """A quick training: the test of the score may fail for it, but is computed."""
    run = tmp_path / "run"
    options = {
        "model": "diffusion",
        "system": "gaussian-mixture",
        "energy": "gaussian-mixture",
        "num_samples": 64,
        "options": {"training.steps": 60, "simulation.frames": 200},
    }
    tbg_core.run(**options, from_scratch=True, out=run)
    out = tmp_path / "thermo"
    assert not thermo(run, "--trajectories", 100, "--steps", 20, "--time", 3, "--out", out)
    numbers = json.loads((out / "thermo.json").read_text())
    assert numbers["known"] == {}
    assert numbers["score_test"]["trajectories"] > 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a run or a mixture"),
        (("--mixture", "a"), "is not MU,S"),
        (("--mixture", "1,0"), "S must be positive"),
        (("nowhere",), "is no run"),
    ],
)
def test_what_it_refuses(arguments, message, tmp_path, capsys):
    assert thermo(*arguments, "--out", tmp_path / "out")
    assert message in capsys.readouterr().err
