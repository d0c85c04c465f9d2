"""Sections that plugins contribute by the hook, called through a real registry."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from tbg_core.registry import ReportSection, get_registry, hookimpl
from tbg_core.report.build import build_report


@pytest.fixture
def plugin():
    """Registers a module with the hook for the time of a test."""
    manager = get_registry()._manager
    records = get_registry().plugins
    modules = []

    def register(implementation):
        module = ModuleType("plugin_of_a_test")
        module.tbg_report_sections = hookimpl(implementation)
        sys.modules[module.__name__] = module
        # Under the name of a plugin that the registry knows, to which it attributes the hook.
        name = records[0].name
        former = manager.get_plugin(name)
        manager.unregister(former)
        manager.register(module, name)
        modules.append((former, module, name))

    yield register
    for former, module, name in modules:
        manager.unregister(module)
        manager.register(former, name)
        del sys.modules[module.__name__]


def test_section_of_a_plugin_is_shown_in_its_place(plugin, toy_run):
    def tbg_report_sections(ensemble):
        return [ReportSection("J couplings & more", f"<p>{ensemble.attempted} samples</p>", order=250)]

    plugin(tbg_report_sections)
    html = build_report(toy_run).read_text(encoding="utf-8")
    assert '<section id="plugin-j-couplings-more"' in html
    assert "J couplings &amp; more" in html
    assert "<p>1500 samples</p>" in html
    assert html.index('id="free-energy"') < html.index('id="plugin-j-') < html.index('id="expectations"')


def test_failing_plugin_costs_its_section_only(plugin, toy_run):
    def tbg_report_sections(ensemble):
        raise RuntimeError("broken on purpose")

    plugin(tbg_report_sections)
    with pytest.warns(UserWarning, match="broken on purpose"):
        html = build_report(toy_run).read_text(encoding="utf-8")
    assert "plugin-" not in html
    assert 'id="free-energy"' in html
