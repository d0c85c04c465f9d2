"""The page: what it says, that it refers to nothing, and that nothing slips through unescaped."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import RecordedSystem
from tbg_core.errors import StorageError
from tbg_core.report.build import build_report

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Checks nesting, and collects identifiers, attributes, headings and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.attributes, self.headings, self.text = [], [], [], [], ""
        self.tags = set()
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if "style" not in self.open:
            self.text += data


def read(folder, **options):
    path = build_report(folder, **options)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_reliable_run_of_a_toy(toy_run):
    page = read(toy_run)
    assert page.headings == [
        "Free energy",
        "Expectation values",
        "Energies",
        "Weights",
        "What was attempted",
        "Cost",
        "Provenance and how to reproduce",
    ]
    assert "RELIABLE" in page.text
    assert "NOT RELIABLE" not in page.text
    assert "1,500 attempted samples are worth" in page.text
    assert "the flow could not be integrated" in page.text
    assert "x1 > 0 against x1 < 0" in page.text
    assert "Band: 90 % bootstrap interval" in page.text
    assert "800 conformations had their energy evaluated" in page.text
    assert "tbg run --model flow" in page.text
    assert "seed: 0" in page.text


def test_the_numbers_are_those_of_the_ensemble(toy_run):
    page = read(toy_run)
    ensemble = Ensemble.load(toy_run)
    assert f"{ensemble.ess:,.0f} independent ones" in page.text
    low, high = ensemble.log_z.interval
    assert f"90 %: {low:.3f} to {high:.3f}".replace("-", "−") in page.text


def test_poor_run_prints_no_interval(poor_run):
    page = read(poor_run)
    assert "NOT RELIABLE" in page.text
    assert "is below 50" in page.text
    assert ("div", "class", "verdict bad") in page.attributes
    assert "Band:" not in page.text
    assert "no interval" in page.text
    assert "the values are shown for orientation" in page.text


def test_peptide_has_a_ramachandran_plot_and_the_reference(peptide_run):
    page = read(peptide_run)
    assert page.headings[0] == "Ramachandran"
    assert "the simulation (600 frames)" in page.text
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert sum("φ / ° and ψ / °" in label for label in labels) == 3
    assert "potential energy / kJ/mol" in page.text
    differences = [float(x.replace("−", "-")) for x in re.findall(r"([+−]\d+\.\d) σ", page.text)]
    # Energy, phi, psi, two omegas, radius of gyration: same distribution, so nothing beyond 4 sigma.
    assert len(differences) == 6
    assert np.abs(differences).max() < 4.0


@pytest.mark.parametrize("run", ["toy_run", "poor_run", "peptide_run"])
def test_page_stands_alone(run, request):
    page = read(request.getfixturevalue(run))
    assert not page.tags & {"script", "link", "iframe", "object", "img", "video", "form"}
    assert "path" in page.tags
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in {"src", "href", "xlink:href"}:
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value[:60])
        assert "url(http" not in value
    duplicates = {i for i in page.ids if page.ids.count(i) > 1}
    assert not duplicates
    targets = {value[1:] for _, name, value in page.attributes if name.endswith("href") and value[:1] == "#"}
    assert targets <= set(page.ids)


def test_names_and_files_are_escaped(make_run, make_toy_ensemble):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    ensemble = replace(make_toy_ensemble(400), system=RecordedSystem(hostile, "ab", (1,), 1))
    folder = make_run(ensemble, command=hostile, note=hostile, versions={hostile: hostile})
    (folder / "config.yaml").write_text(f"system: '{hostile}'\n", encoding="utf-8")
    page = read(folder)
    assert not page.tags & {"script", "img"}
    assert page.text.count(hostile) >= 5


def test_report_is_the_same_twice(toy_run):
    first = build_report(toy_run).read_bytes()
    assert build_report(toy_run).read_bytes() == first


def test_report_without_metrics_or_config(toy_run):
    (toy_run / "metrics.json").unlink()
    (toy_run / "config.yaml").unlink()
    page = read(toy_run)
    assert "Cost" not in page.headings
    assert "double-well" in page.text


def test_report_of_a_run_without_one_valid_sample(make_run, make_toy_ensemble):
    ensemble = make_toy_ensemble(40)
    hopeless = replace(ensemble, valid=np.zeros(40, dtype=bool), status=np.full(40, 2))
    page = read(make_run(hopeless))
    assert "NOT RELIABLE" in page.text
    assert "No sample is valid." in page.text


def test_reference_from_elsewhere(toy_run, make_reference, make_toy_ensemble):
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
