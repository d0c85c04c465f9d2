"""The documentation site: strict, complete, and readable without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tbg_core.cli.main import VERBS
from tbg_core.contracts import KINDS
from tbg_core.registry import get_registry

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parents[2]
# What a browser fetches by itself; links that a reader may follow are not among it.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc\s*=\s*["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|next|prev))[^>]*\bhref\s*=\s*["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(\s*["']?((?:https?:)?//[^"')]+)|@import\s+["']((?:https?:)?//[^"']+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", out],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return out


def test_nothing_is_fetched_from_elsewhere(site):
    found = {}
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        if hits := [next(filter(None, m.groups())) for m in FETCHED.finditer(path.read_text(encoding="utf-8"))]:
            found[str(path.relative_to(site))] = hits
    assert not found


def test_the_search_for_foreign_files_finds_them():
    for text in (
        '<script src="https://unpkg.com/x.js">',
        '<link rel="stylesheet" href="//fonts.example/a.css">',
        "@import 'https://x/y.css'",
        "background: url(https://x/y.png)",
    ):
        assert FETCHED.search(text)
    for text in (
        '<a href="https://arxiv.org">',
        '<link rel="canonical" href="https://here/">',
        '<img src="images/a.png">',
    ):
        assert not FETCHED.search(text)


def test_every_component_has_a_page_with_its_options(site):
    registry = get_registry()
    for spec in registry.specs():
        page = (site / "components" / f"{spec.kind}-{spec.name}.html").read_text(encoding="utf-8")
        for option in registry.config_class(spec.kind, spec.name).model_fields:
            assert f"<code>{option}</code>" in page, f"{spec.name}: {option}"


def test_every_command_and_kind_is_described(site):
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for verb in VERBS:
        assert re.search(rf'id="tbg-{verb}', commands), verb
    contracts = (site / "reference" / "contracts.html").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f'id="{kind}"' in contracts, kind


def test_what_builds_the_site_is_not_part_of_it(site):
    assert not list(site.rglob("*.py"))


def test_cross_references_of_docstrings_are_read(site):
    links = 0
    for path in site.rglob("*.html"):
        text = re.sub(r"<pre.*?</pre>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r":(?:attr|class|data|func|meth|mod):", text), path.name
        links += len(re.findall(r'<a class="autorefs[^>]*><code>', text))
    assert links >= 3
