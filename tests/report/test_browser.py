"""The page in a real browser: no script fails, nothing is asked for, the view in three dimensions starts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("tbg_test_browser", Path(__file__).with_name("browser.py"))
browser = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser)

pytestmark = pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def tab():
    with browser.Browser() as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_goes_wrong(tab):
    tab.problems.clear()
    tab.requests.clear()
    yield
    assert tab.problems == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in tab.requests), tab.requests


def state(tab):
    return tab.value("document.getElementById('viewer').dataset.state || ''")


def test_the_view_starts_when_it_is_asked_for_and_not_before(tab, alanine_run):
    tab.open(alanine_run / "report.html")
    assert tab.value("document.querySelectorAll('canvas').length") == 0
    assert tab.value("typeof $3Dmol") == "undefined"
    tab.value("document.querySelector('[data-part=open]').click()")
    tab.wait("document.getElementById('viewer').dataset.state")
    assert state(tab) == "ready"
    assert tab.value("document.querySelector('.stage canvas').width") > 100
    assert "conformations: reweighted" in tab.value("document.querySelector('[data-part=line]').textContent")
    tab.value("document.querySelector('[data-part=all]').click()")
    assert "φ = " in tab.value("document.querySelector('[data-part=line]').textContent")
    tab.value("document.querySelector('[data-set=\"2\"]').click()")
    assert tab.value("document.querySelector('[data-part=line]').textContent").startswith("frame ")


def test_without_scripts_the_pictures_are_there_and_the_buttons_are_not(tab, alanine_run):
    tab.open(alanine_run / "report.html", scripts=False)
    assert tab.value("document.getElementById('viewer').hidden")
    assert tab.value("document.querySelectorAll('.copy').length") == 0
    assert tab.value("document.querySelector('#conformations img').naturalWidth") > 300


def test_phone_needs_no_sideways_scrolling(tab, alanine_run):
    tab.open(alanine_run / "report.html", width=390, height=844, mobile=True)
    assert tab.value("document.documentElement.scrollWidth") <= 390
    # Text in the drawings is at least as large as small print.
    sizes = (
        "[...document.querySelectorAll('main svg')].map(s => s.getBoundingClientRect().width / s.viewBox.baseVal.width)"
    )
    assert min(tab.value(sizes)) * 12.0 >= 8.0  # 9 pt are 12 units; 8 pixels are the least


def test_paper_shows_no_controls(tab, alanine_run):
    tab.open(alanine_run / "report.html", media="print")
    hidden = "getComputedStyle(document.querySelector('{}')).display"
    for selector in ("nav", "#viewer", ".copy"):
        assert tab.value(hidden.format(selector)) == "none"


def test_scripts_that_are_not_ours_do_not_run(tab, alanine_run, tmp_path):
    html = (alanine_run / "report.html").read_text(encoding="utf-8")
    injected = "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title = 'taken over'\">"
    (tmp_path / "injected.html").write_text(html.replace("<main", f"{injected}<main", 1), encoding="utf-8")
    tab.open(tmp_path / "injected.html")
    assert tab.value("document.title") != "taken over"
    assert len(tab.problems) >= 2  # the browser says what it refused
    tab.problems.clear()


def test_copy_buttons_copy(tab, alanine_run):
    tab.open(alanine_run / "report.html")
    assert tab.value("document.querySelectorAll('.code').length") == tab.value(
        "document.querySelectorAll('.copy').length"
    )
    tab.value("document.querySelector('.copy').click()")
    tab.wait("document.querySelector('.copy').textContent === 'Copied'")
