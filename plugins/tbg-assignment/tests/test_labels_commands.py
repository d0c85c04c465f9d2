"""``tbg labels``: what is exact, labels of a molecule, likelihoods of a model, small problems; what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tbg_core
from tbg_assignment.config import LabelsConfig
from tbg_assignment.held_out import held_out_scores, log_frequencies, log_product
from tbg_assignment.label_file import LabelFile, read_label_file, write_label_file
from tbg_assignment.system import LabelSource
from tbg_assignment.torsion_states import torsion_states
from tbg_core.cli.main import main
from tbg_core.contracts.system import Logits
from tbg_core.datasets import load_data
from tbg_core.datasets.verbs import data_folder
from tbg_core.errors import ConfigError, UnsupportedSystemError
from tbg_core.observables import parse_observable

QUICK = ["-s", "training.steps=150", "-s", "simulation.frames=300", "-s", "likelihood.nodes=15", "-q"]


def labels(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["labels", *map(str, arguments)])
    return ended.value.code


@pytest.fixture(scope="module")
def coupled(tmp_path_factory):
    """A quick training on two coupled binary variables, 128 samples."""
    folder = tmp_path_factory.mktemp("runs") / "coupled"
    options = {"training.steps": 300, "simulation.frames": 500, "likelihood.nodes": 15}
    parts = {"system": "coupled-binary", "energy": "label-table", "model": "assignment"}
    tbg_core.run(**parts, from_scratch=True, num_samples=128, options=options, out=folder)
    return folder


def test_likelihoods_of_a_trained_model(coupled, tmp_path, capsys):
    """It has learned that they agree; the report of the run has the exact values beside the estimates."""
    out = tmp_path / "out"
    assert not labels("likelihood", coupled, "--draws", 32, "--out", out, "-q")
    assert "all known" in capsys.readouterr().out
    (numbers,) = json.loads((out / "labels.json").read_text())
    assert numbers["complete"]
    assert abs(numbers["probability"] - 1) < 4.5 * numbers["probability_err"] + 1e-3
    assert numbers["kl"] < 0.1 < numbers["exact"]["kl_of_product"]  # log 2 - 0.325 = 0.368 for independent variables
    assert numbers["exact"]["kl_of_product"] == pytest.approx(np.log(2) + 0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "Exact values" in (coupled / "report.html").read_text()
    metrics = json.loads((coupled / "metrics.json").read_text())
    assert metrics["ess_fraction"] > 0.7
    assert abs(metrics["log_z"]) < 4.5 * metrics["log_z_err"]
    ensemble = tbg_core.Ensemble.load(coupled)
    assert ensemble.system.space == Logits(2, 2)  # what was recorded, though its shape is that of nothing else
    agreement = ensemble.expectation("agree:0,1")
    assert abs(agreement.value - 0.9) < 4.5 * agreement.error


def test_labellings_that_are_named(coupled, tmp_path, capsys):
    one = ("likelihood", coupled, "--draws", 16, "--labelling", "0,0", "--labelling", "0,1", "--json", "-q")
    assert not labels(*one, "--out", tmp_path / "out")
    (numbers,) = json.loads(capsys.readouterr().out)
    assert numbers["kl"] is None
    assert [entry["labels"] for entry in numbers["labellings"]] == [[0, 0], [0, 1]]
    assert numbers["labellings"][0]["log_p"] > numbers["labellings"][1]["log_p"] + 1.0


def test_a_study_goes_on_where_it_stopped(tmp_path, capsys):
    out = tmp_path / "study"
    command = ("study", "categorical:1x3:1", "categorical:1x5:1", *QUICK, "-n", 32, "--draws", 8, "--out", out)
    assert not labels(*command)
    first = json.loads((out / "labels.json").read_text())
    assert [entry["classes"] for entry in first] == [3, 5]
    assert "Divergence against the number of classes" in (out / "report.html").read_text()
    assert not labels(*command, "--resume")
    assert json.loads((out / "labels.json").read_text()) == first
    assert labels(*command)
    assert "is not empty" in capsys.readouterr().err


def test_what_is_exact(capsys):
    assert not labels("show", "coupled-binary", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["exact"]["log_z"] == pytest.approx(0.0, abs=1e-12)
    assert found["marginals"] == [[0.5, 0.5], [0.5, 0.5]]
    assert not labels("show", "potts-chain:30x3")
    assert "too many labellings" in capsys.readouterr().out
    assert not labels("list")
    assert "pinwheel:C" in capsys.readouterr().out


def test_labels_of_the_dipeptides_that_ship(tmp_path, capsys):
    """Frequencies are those of the torsions as observables; held-out frames are others; the system can be named."""
    pytest.importorskip("tbg_data_dipeptides")
    path = tmp_path / "LL.json"
    assert not labels("make", "dipeptides", "--system", "LL", "--hold-out", 0, "--out", path)
    assert f"--system labels:{path}" in capsys.readouterr().out
    content = read_label_file(path)
    assert content.variables == ("phi:2", "psi:1", "chi1:1", "chi1:2", "chi2:1", "chi2:2")
    (frames,) = load_data(data_folder("dipeptides"), ["LL"])
    x = np.asarray(frames.positions)
    chi = np.degrees(parse_observable("chi1:2", frames.system)(x)) % 360.0
    table = content.table()
    for rotamer in range(3):
        inside = (chi >= 120 * rotamer) & (chi < 120 * (rotamer + 1))
        assert table.marginals[3, rotamer] == pytest.approx(inside.mean(), abs=1e-12)
    assert table.marginals[0, 2] == 0  # phi has two basins
    assert table.information > 0.5  # of chi1 and chi2 of leucine
    system = LabelSource(LabelsConfig(kind="file", path=str(path))).build()
    assert system.name == f"labels:{path}"
    assert system.variable_names == content.variables
    part = torsion_states(frames, hold_out=0.25)
    assert sum(part.weights) + sum(part.held_out) == len(x)
    assert part.held_out_frames < 0.3 * len(x)
    assert part.key != content.key


def counted():
    """Two variables that agree, one more state in the held-out frames."""
    states = ((0, 0), (0, 1), (1, 0), (1, 1))
    return LabelFile(
        "made up", ("a", "b"), 2, ((0.0, 180.0),) * 2, states, (46, 4, 0, 50), (9, 0, 2, 9), 100.0, 20.0, "nowhere"
    )


def test_scores_on_held_out_frames_by_hand():
    content = counted()
    a, b = np.array([50.5, 50.5]) / 101, np.array([46.5, 54.5]) / 101
    product = np.log(np.outer(a, b).ravel())
    assert log_product(content) == pytest.approx(product)
    frequencies = np.log(0.99 * np.array([46, 4, 0, 50]) / 100 + 0.01 * np.exp(product))
    assert log_frequencies(content, product) == pytest.approx(frequencies)
    model = np.log([0.45, 0.05, 0.05, 0.45])
    scores = {s.name: s for s in held_out_scores(content, model, np.zeros(4))}
    q = np.array([9, 0, 2, 9]) / 20
    assert scores["model"].log_p == pytest.approx(q @ model)
    assert scores["model"].gain == pytest.approx(q @ (model - product))
    spread = np.sqrt(q @ (model - product - q @ (model - product)) ** 2 / 20)
    assert scores["model"].gain_err == pytest.approx(spread)
    assert scores["product of marginals"].gain == 0
    worse = held_out_scores(content, model, np.full(4, 0.1))[-1]
    assert worse.gain_err == pytest.approx(np.hypot(spread, 0.1 * np.linalg.norm(q)))


def test_files_of_labels_are_read_as_written_and_damage_is_found(tmp_path):
    path = tmp_path / "labels.json"
    write_label_file(path, counted())
    assert read_label_file(path) == counted()
    assert np.exp(counted().table().log_weights) == pytest.approx(np.array([[0.46, 0.04], [0.0, 0.5]]))
    text = path.read_text()
    for old, new in (('"schema": 1', '"schema": 2'), ('"classes": 2', '"classes": 1'), ('"weights"', '"weighty"')):
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(UnsupportedSystemError, match="is no file of labels"):
            read_label_file(path)


def test_torsions_that_do_not_exist_are_refused():
    pytest.importorskip("tbg_data_dipeptides")
    (frames,) = load_data(data_folder("dipeptides"), ["AG"])
    with pytest.raises(ConfigError, match="chi9 is no torsion"):
        torsion_states(frames, ["chi9"])
    with pytest.raises(UnsupportedSystemError, match="0 torsions"):
        torsion_states(frames, ["chi1"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "GF"), "no system of discrete variables"),
        (("likelihood", "nowhere"), "not a folder"),
        (("make", "dipeptides", "--out", "x.json"), "200 molecules"),
        (("study", "potts"), "no system of discrete variables"),
    ],
)
def test_what_it_refuses(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert labels(*arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("text", "message"), [("0,2", "no labelling"), ("a", "no list of numbers"), ("0", "Write 2")])
def test_labellings_that_do_not_exist(coupled, text, message, tmp_path, capsys):
    assert labels("likelihood", coupled, "--labelling", text, "--out", tmp_path / "out", "-q")
    assert message in capsys.readouterr().err
