"""Every hook has a user among our own plugins, and what it does can be seen."""

from __future__ import annotations

import json
import re

import pytest

from tbg_core.citations import Reference, bibliography, components_of, references
from tbg_core.errors import ReliabilityWarning
from tbg_core.registry import get_registry
from tbg_core.registry.hooks import Hooks
from tbg_core.storage.atomic import write_json


def test_every_hook_is_used_by_a_plugin_of_ours():
    manager = get_registry()._manager
    for hook in (name for name in vars(Hooks) if name.startswith("tbg_")):
        users = {h.plugin_name for h in getattr(manager.hook, hook).get_hookimpls()} - {"core"}
        assert users & {"toys", "openmm", "egnn"}, f"nobody uses {hook}"


def test_the_version_of_openmm_is_noted_once_and_a_change_is_warned_of(tmp_path):
    provenance = pytest.importorskip("tbg_openmm.provenance")
    path = tmp_path / "provenance.json"
    write_json(path, {"versions": {"torch": "2"}})
    provenance.record_version(tmp_path)
    versions = json.loads(path.read_text())["versions"]
    assert versions["torch"] == "2"
    assert versions["openmm"]
    provenance.record_version(tmp_path)  # the same again: nothing to say
    write_json(path, {"versions": {"openmm": "7.0"}})
    with pytest.warns(ReliabilityWarning, match="begun with OpenMM 7.0"):
        provenance.record_version(tmp_path)
    assert json.loads(path.read_text())["versions"]["openmm"] == "7.0"


def test_references_are_read_as_they_are_written():
    paper = Reference("Klein & Noe, Transferable Boltzmann Generators, NeurIPS 2024, arXiv:2406.14426", ("field egnn",))
    assert (paper.authors, paper.year, paper.key) == ("Klein and Noe", "2024", "klein2024")
    assert "eprint = {2406.14426}" in paper.bibtex()
    assert "author = {Klein and Noe}" in paper.bibtex()
    others = Reference("Larsen et al. (ASE), J. Phys. Condens. Matter 29, 273002 (2017)", ())
    assert (others.authors, others.year) == ("Larsen and others", "2017")
    assert Reference("arXiv:2207.09453", ()).year == ""
    assert "doi = {10.1021/acs.jctc.1c00302}" in Reference("X & Y, 2021, doi:10.1021/acs.jctc.1c00302", ()).bibtex()


def test_the_papers_of_a_configuration():
    registry = get_registry()
    config = {
        "model": {"name": "flow", "field": {"name": "egnn"}},
        "prior": {"name": "harmonic"},
        "likelihood": {"name": "augmented"},
        "energy": "openmm",
        "sampler": {"name": "importance"},
    }
    specs = components_of(registry, config)
    assert {("proposal", "flow"), ("field", "egnn"), ("energy", "openmm")} <= {(s.kind, s.name) for s in specs}
    papers = references(specs)
    (klein,) = (p for p in papers if "2406.14426" in p.text)
    assert {"field egnn", "proposal flow", "sampler importance"} <= set(klein.used_for)
    text = bibliography(papers)
    keys = re.findall(r"^@\w+\{([^,]+),$", text, flags=re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(papers) + 1
    assert text.count("{") == text.count("}")


def test_two_papers_of_one_author_and_year_have_two_keys():
    papers = [Reference("Noe, First, 2020", ("a",)), Reference("Noe, Second, 2020", ("b",))]
    assert "@misc{noe2020," in bibliography(papers)
    assert "@misc{noe2020b," in bibliography(papers)
