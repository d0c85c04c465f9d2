"""The page stands alone: nothing is loaded, nothing foreign runs, nothing slips through unescaped."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from tbg_core.ensemble.recorded_system import RecordedSystem

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'"


def check_that_it_stands_alone(page):
    assert not page.tags & {"link", "iframe", "object", "embed", "video", "form", "base"}
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


@pytest.mark.parametrize("run", ["toy_run", "poor_run", "peptide_run"])
def test_page_stands_alone(run, request, read):
    check_that_it_stands_alone(read(request.getfixturevalue(run)))


def test_page_with_everything_stands_alone_and_stays_small(alanine_run, parse):
    check_that_it_stands_alone(parse(alanine_run / "report.html"))
    assert (alanine_run / "report.html").stat().st_size < 2_500_000


def policy_of(page):
    return next(
        a["content"] for tag, a in page.elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )


def hash_of(script):
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def test_the_policy_allows_our_scripts_and_no_others(alanine_run, parse):
    page = parse(alanine_run / "report.html")
    policy = dict(part.split(None, 1) for part in policy_of(page).split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    packed = next(text for attrs, text in page.scripts if attrs.get("id") == "viewer-library")
    library = gzip.decompress(base64.b64decode(packed)).decode()
    assert set(policy["script-src"].split()) == {hash_of(s) for s in (*page.running, library)}
    assert library.encode() == (files("tbg_core.report") / "vendor" / "3Dmol-min.js").read_bytes()


def test_the_library_is_in_the_page_only_where_it_is_used(toy_run, read, alanine_run, parse):
    assert "viewer-library" not in read(toy_run).ids
    page = parse(alanine_run / "report.html")
    assert "viewer-library" in page.ids
    assert "University of Pittsburgh" in page.text
    assert "BSD-3-Clause" in page.text


def test_names_and_files_are_escaped(make_run, make_toy_ensemble, read):
    ensemble = replace(make_toy_ensemble(400), system=RecordedSystem(HOSTILE, "ab", (1,), 1))
    folder = make_run(ensemble, command=HOSTILE, note=HOSTILE, versions={HOSTILE: HOSTILE}, target={HOSTILE: [HOSTILE]})
    (folder / "config.yaml").write_text(f"system: {HOSTILE}\n", encoding="utf-8")
    page = read(folder)
    assert "img" not in page.tags
    assert len(page.scripts) == 1
    assert all("alert" not in text for _, text in page.scripts)
    assert page.text.count(HOSTILE) >= 5


def test_names_of_molecules_and_atoms_are_escaped(make_run, make_alanine, read):
    ensemble = make_alanine(120)
    molecule = replace(
        ensemble.system,
        name=HOSTILE,
        residue_names=(HOSTILE, *ensemble.system.residue_names[1:]),
        elements=tuple(HOSTILE if e == "O" else e for e in ensemble.system.elements),
        atom_names=(f"{HOSTILE}0", *ensemble.system.atom_names[1:]),
    )
    page = read(make_run(replace(ensemble, system=molecule)))
    assert all(
        value.startswith("data:image/png") for tag, name, value in page.attributes if (tag, name) == ("img", "src")
    )
    assert all("alert" not in text for text in page.running)
    data = json.loads(next(text for attrs, text in page.scripts if attrs.get("id") == "viewer-data"))
    assert HOSTILE in data["elements"]
    assert len(page.scripts) == 4
    assert not any(name.startswith("on") for _, name, _ in page.attributes)


def test_every_picture_has_words(alanine_run, parse):
    page = parse(alanine_run / "report.html")
    pictures = [attrs for tag, attrs in page.elements if tag == "img"]
    drawings = [attrs for tag, attrs in page.elements if tag == "svg"]
    assert len(pictures) >= 8
    assert len(drawings) >= 20
    assert all(attrs.get("alt") for attrs in pictures)
    assert all(attrs.get("aria-label") and attrs.get("role") == "img" for attrs in drawings)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_text_can_be_read_on_its_background_in_every_scheme():
    folder = files("tbg_core.report") / "templates"
    text = "".join((folder / name).read_text(encoding="utf-8") for name in ("report.css", "print.css"))
    schemes = [
        dict(re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{([^}]*)\}", text)
    ]
    assert len(schemes) == 3
    for scheme in schemes:
        for ink in ("ink", "muted", "link", "good", "bad"):
            for paper in ("paper", "panel"):
                assert contrast(scheme[ink], scheme[paper]) >= 4.5, (ink, paper, scheme)
        assert contrast(scheme["good"], scheme["good-back"]) >= 4.5
        assert contrast(scheme["bad"], scheme["bad-back"]) >= 4.5
        for curve in ("proposal", "reweighted", "reference"):  # WCAG 1.4.11: graphics need 3
            assert contrast(scheme[curve], scheme["paper"]) >= 3.0, (curve, scheme)
