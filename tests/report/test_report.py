"""What the page says: the right sections for each kind of run, and the numbers of the ensemble."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import RecordedSystem
from tbg_core.errors import ConfigError, StorageError
from tbg_core.report.build import build_report


def test_reliable_run_of_a_toy(toy_run, read):
    page = read(toy_run)
    assert page.headings == [
        "Free energy",
        "Expectation values",
        "Energies",
        "Weights",
        "What was attempted",
        "Cost",
        "Provenance",
        "How to reproduce",
    ]
    assert "RELIABLE" in page.text
    assert "NOT RELIABLE" not in page.text
    assert "1,500 attempted samples are worth" in page.text
    assert "the flow could not be integrated" in page.text
    assert "x₀ > 0 against x₀ < 0" in page.text
    assert "Band: 90 % bootstrap interval" in page.text
    assert "800 conformations had their energy evaluated" in page.text
    assert "tbg run --model flow" in page.text
    assert "seed: 0" in page.text


def test_the_numbers_are_those_of_the_ensemble(toy_run, read):
    page = read(toy_run)
    ensemble = Ensemble.load(toy_run)
    assert f"{ensemble.ess:,.0f} independent ones" in page.text
    low, high = ensemble.log_z.interval
    assert f"90 %: {low:.3f} to {high:.3f}".replace("-", "−") in page.text


def test_poor_run_prints_no_interval(poor_run, read):
    page = read(poor_run)
    assert "NOT RELIABLE" in page.text
    assert "is below 50" in page.text
    assert ("div", "class", "verdict bad") in page.attributes
    assert "Band:" not in page.text
    assert "no interval" in page.text
    assert "the values are shown for orientation" in page.text


def test_peptide_has_a_ramachandran_plot_and_the_reference(peptide_run, read):
    page = read(peptide_run)
    assert page.headings[0] == "Ramachandran"
    assert page.headings[1:3] == ["Conformations", "Free energy"]
    assert "the simulation (600 frames)" in page.text
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert sum("φ / ° and ψ / °" in label for label in labels) == 3
    assert "potential energy / kJ/mol" in page.text
    differences = [float(x.replace("−", "-")) for x in re.findall(r"([+−]\d+\.\d) σ", page.text)]
    # Energy, phi, psi, two omegas, radius of gyration: same distribution, so nothing beyond 4 sigma.
    assert len(differences) == 6
    assert np.abs(differences).max() < 4.0


def test_report_is_the_same_twice(toy_run):
    first = build_report(toy_run).read_bytes()
    assert build_report(toy_run).read_bytes() == first


def test_report_without_metrics_or_config(toy_run, read):
    (toy_run / "metrics.json").unlink()
    (toy_run / "config.yaml").unlink()
    page = read(toy_run)
    assert "Cost" not in page.headings
    assert "double-well" in page.text


def test_report_of_a_run_without_one_valid_sample(make_run, make_toy_ensemble, read):
    ensemble = make_toy_ensemble(40)
    hopeless = replace(ensemble, valid=np.zeros(40, dtype=bool), status=np.full(40, 2))
    page = read(make_run(hopeless))
    assert "NOT RELIABLE" in page.text
    assert "No sample is valid." in page.text


def test_reference_from_elsewhere(toy_run, make_reference, make_toy_ensemble, read):
    assert "Reference" not in read(toy_run).text
    page = read(toy_run, reference=make_reference(make_toy_ensemble(4000, seed=5)))
    assert "Reference" in page.text


def test_reference_that_does_not_fit(toy_run, peptide_run, tmp_path):
    with pytest.raises(StorageError, match="another shape"):
        build_report(toy_run, reference=peptide_run / "reference")
    with pytest.raises(StorageError, match="is not a folder"):
        build_report(toy_run, reference=tmp_path / "nowhere")


def test_folder_without_a_run(tmp_path):
    with pytest.raises(StorageError, match="holds no ensemble"):
        build_report(tmp_path)


def test_alanine_dipeptide_has_every_section(alanine_run, parse):
    page = parse(alanine_run / "report.html")
    assert page.headings == [
        "Ramachandran",
        "Conformations",
        "Free energy",
        "Expectation values",
        "Bonds, angles, distances",
        "Peptide bonds and chirality",
        "Energies",
        "Weights",
        "What was attempted",
        "Cost",
        "Provenance",
        "How to reproduce",
    ]
    assert "21 bonds, reweighted: median distance" in page.text
    assert "36 angles" in page.text
    assert "The heaviest samples" in page.text
    assert "dropped: the bond graph is not that of the molecule" in page.text


def test_observables_and_units_that_were_asked_for(peptide_run, read):
    page = read(peptide_run, observables=["rg", "distance:0,8"], units=["kcal/mol", "angstrom"])
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    profiles = [label for label in labels if label.startswith("free energy along")]
    assert profiles[:2] == ["free energy along radius of gyration", "free energy along distance:0,8"]
    assert "rms difference / kcal/mol" in page.text
    assert "potential energy / kcal/mol" in page.text
    assert "distance:0,8 / Å" in page.text


def test_an_observable_that_does_not_exist(peptide_run):
    with pytest.raises(ConfigError, match="nonsense"):
        build_report(peptide_run, observables=["nonsense"])


def test_a_toy_in_the_plane_has_a_map(make_run, read):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2))
    u = 0.5 * (x**2).sum(1)
    zeros = np.zeros(800, dtype=np.int64)
    plane = RecordedSystem("plane", "ab", (2,), 2)
    ensemble = Ensemble(plane, 300.0, x.astype(np.float32), -u - np.log(2 * np.pi), u, zeros == 0, np.zeros(800), zeros)
    page = read(make_run(ensemble))
    assert page.headings[0] == "Free-energy map"
