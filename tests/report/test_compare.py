"""Runs side by side."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tbg_core import api
from tbg_core.errors import ConfigError
from tbg_core.report.comparison.build import build_comparison
from tbg_core.report.comparison.settings import flattened


@pytest.fixture
def pair(make_run, make_toy_ensemble):
    """Two runs of one target by different proposals."""
    first = make_run(make_toy_ensemble(3000, seed=1), "first", model="flow", energy="well")
    second = make_run(make_toy_ensemble(4000, seed=2, width=1.0), "second", model="flow", energy="well")
    (second / "config.yaml").write_text("system: toy\nseed: 1\nintegrator: {name: rk4}\n", encoding="utf-8")
    return first, second


def test_two_runs_of_one_target(pair, parse):
    path = build_comparison(pair, observables=["x:0"])
    assert path == pair[0].parent / "compare-first-second.html"
    page = parse(path)
    assert page.headings == [
        "Side by side",
        "log Z",
        "Free energies",
        "Expectation values",
        "Settings",
        "How to reproduce",
    ]
    assert "All runs have the same target" in page.text
    assert "second less first" in page.text
    # log Z of one target by two proposals: within 4 sigma, so that p is above 6e-5.
    row = re.search(r"second less first\s*(\S+)\s+(\S+)\s+(\S+) σ", page.cells)
    gap, error, significance = (float(x.replace("−", "-")) for x in row.groups())
    assert abs(significance) < 4.0
    assert significance == pytest.approx(gap / error, abs=0.1 + 0.1 * abs(gap / error))
    assert "integrator.name" in page.text
    assert "seed" in page.text
    assert "1 settings that are the same" in page.text
    assert "ESS per second of sampling" in page.text
    assert "tbg report first second --observable x:0" in page.text


def test_a_wrong_density_is_found(pair, make_run, make_toy_ensemble, parse):
    ensemble = make_toy_ensemble(4000, seed=3)
    shifted = replace(ensemble, log_q=ensemble.log_q + 0.5)
    page = parse(build_comparison([pair[0], make_run(shifted, "shifted", energy="well")]))
    assert "disagree, p = " in page.text
    assert "log Z of first and shifted disagree: " in page.text


def test_runs_with_the_same_draws_are_not_called_independent(pair, make_run, make_toy_ensemble, parse):
    again = make_run(make_toy_ensemble(3000, seed=1), "again", model="flow", energy="well")
    page = parse(build_comparison([pair[0], again]))
    assert "same samples" in page.text
    assert "have errors in common" in page.text


def test_an_unreliable_run_gets_no_significance(pair, poor_run, parse):
    page = parse(build_comparison([pair[0], poor_run]))
    assert "NOT RELIABLE" in page.text
    assert "1 of 2 can be relied on" in page.text
    assert " σ" not in page.text.split("Difference of log Z", 1)[1].split("Free energies", 1)[0]


def test_another_temperature_is_marked(pair, make_run, make_toy_ensemble, parse):
    hot = make_run(replace(make_toy_ensemble(3000, seed=4), temperature_K=350.0), "hot", energy="well")
    page = parse(build_comparison([pair[0], hot]))
    assert "DIFFERENT TARGETS" in page.text
    assert "temperature (300 K, 350 K)" in page.text


def test_another_system_is_refused(pair, peptide_run):
    with pytest.raises(ConfigError, match=r"is of double-well, .* of ACE-GLY-NME"):
        build_comparison([pair[0], peptide_run])


@pytest.mark.parametrize("number", [1, 7])
def test_number_of_runs(pair, number):
    with pytest.raises(ConfigError, match="two to 6 runs"):
        build_comparison([pair[0]] * number)


def test_a_run_beside_itself_is_refused(pair):
    with pytest.raises(ConfigError, match="named twice"):
        build_comparison([pair[0], pair[0]])


def test_folders_of_one_name_are_told_apart(make_run, make_toy_ensemble, tmp_path, parse):
    a = make_run(make_toy_ensemble(600, seed=1), "a/run")
    b = make_run(make_toy_ensemble(600, seed=2), "b/run")
    page = parse(build_comparison([a, b], tmp_path / "page.html"))
    assert "a/run against b/run" in page.text


def test_hostile_names(make_run, make_toy_ensemble, pair, parse):
    hostile = "<img src=x onerror=alert(1)>"
    other = make_run(make_toy_ensemble(600, seed=5), hostile, model=hostile, energy=hostile)
    (other / "config.yaml").write_text(f"'{hostile}': '{hostile}'\n", encoding="utf-8")
    page = parse(build_comparison([pair[0], other], pair[0].parent / "page.html"))
    assert "img" not in page.tags
    assert hostile in page.text


def test_the_verb_and_the_command(pair, tbg, tmp_path):
    assert api.report(*pair, page=tmp_path / "both.html") == tmp_path / "both.html"
    done = tbg("report", *pair, "--page", tmp_path / "by-command.html")
    assert done.returncode == 0, done.stderr
    assert "by-command.html" in done.stdout
    assert (tmp_path / "by-command.html").is_file()


def test_settings_are_flat():
    assert flattened("a: {b: {c: 1}, d: [1, 2]}\ne: text\n") == {"a.b.c": "1", "a.d": "[1, 2]", "e": "text"}
    assert flattened("a: [") == {}
