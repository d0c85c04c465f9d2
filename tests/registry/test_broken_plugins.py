"""One bad plugin costs one warning line; everything else works."""

from __future__ import annotations

import json

import pytest

from tbg_core.errors import PluginError, UnknownComponentError
from tbg_core.registry import PluginWarning, get_registry

HOOK = "from tbg_core.registry import ComponentSpec, hookimpl\n"

BROKEN = {
    "import": "import a_package_that_does_not_exist\n",
    "exit": "raise SystemExit(3)\n",
    "hook": f"{HOOK}@hookimpl\ndef tbg_components():\n    raise ValueError('two\\nlines')\n",
    "result": f"{HOOK}@hookimpl\ndef tbg_components():\n    return ['egnn']\n",
    "iteration": f"{HOOK}@hookimpl\ndef tbg_components():\n    return 3\n",
    "unknown-hook": f"{HOOK}@hookimpl\ndef tbg_compnents():\n    return []\n",
    "arguments": f"{HOOK}@hookimpl\ndef tbg_run_started(ensemble):\n    pass\n",
}


@pytest.mark.parametrize("way", BROKEN)
def test_a_broken_plugin_is_one_warning_and_the_rest_works(way, make_plugin, fresh_registry):
    fresh_registry(make_plugin("broken", BROKEN[way]))
    with pytest.warns(PluginWarning) as caught:
        registry = get_registry()
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "plugin broken (acme-broken 1.2)" in text
    assert "\n" not in text
    assert registry.spec("proposal", "flow").name == "flow"
    assert [r.name for r in registry.failures] == ["broken"]


def test_a_broken_plugin_through_the_command(make_plugin, tbg):
    site = make_plugin("broken", BROKEN["import"])
    result = tbg("components", "list", "--json", path=site)
    assert result.returncode == 0
    assert result.stderr == (
        "warning: plugin broken (acme-broken 1.2) was not loaded: ModuleNotFoundError: "
        "No module named 'a_package_that_does_not_exist'\n"
    )
    assert {"kind": "proposal", "name": "flow"}.items() <= next(
        c for c in json.loads(result.stdout) if c["name"] == "flow"
    ).items()
    listed = json.loads(tbg("plugins", "list", "--json", path=site).stdout)
    assert next(p for p in listed if p["name"] == "broken")["status"] == "failed"
    assert tbg("doctor", path=site).returncode == 1


def test_strict_raises_instead(make_plugin, fresh_registry, tbg, monkeypatch):
    site = make_plugin("broken", BROKEN["import"])
    result = tbg("components", "list", path=site, TBG_STRICT_PLUGINS="1")
    assert result.returncode == 2
    assert result.stderr.startswith("error: plugin broken (acme-broken 1.2): ModuleNotFoundError")
    assert len(result.stderr.splitlines()) == 1
    fresh_registry(site)
    monkeypatch.setenv("TBG_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match="acme-broken"):
        get_registry()


@pytest.mark.parametrize("named", ["marker", "acme-marker", "other, marker", "*"])
def test_a_disabled_plugin_is_not_imported(named, make_plugin, fresh_registry, monkeypatch, tmp_path):
    trace = tmp_path / "imported"
    fresh_registry(make_plugin("marker", f"open({str(trace)!r}, 'w').close()\n"))
    monkeypatch.setenv("TBG_DISABLE_PLUGINS", named)
    record = next(r for r in get_registry().plugins if r.name == "marker")
    assert record.status == "disabled"
    assert not trace.exists()


def test_no_plugins_works_with_every_verb(make_plugin, tbg, tmp_path):
    trace = tmp_path / "imported"
    site = make_plugin("marker", f"open({str(trace)!r}, 'w').close()\n")
    for arguments in (
        ("--no-plugins", "plugins", "list", "--json"),
        ("plugins", "list", "--no-plugins", "--json"),
    ):
        result = tbg(*arguments, path=site)
        assert result.returncode == 0
        assert {p["status"] for p in json.loads(result.stdout) if p["name"] != "core"} == {"disabled"}
    assert not trace.exists()


def test_two_providers_of_one_name_are_both_named_and_neither_is_used(make_plugin, fresh_registry):
    make_plugin("first", name="spring")
    fresh_registry(make_plugin("second", name="spring"))
    with pytest.warns(PluginWarning) as caught:
        registry = get_registry()
    assert len(caught) == 1
    with pytest.raises(PluginError) as raised:
        registry.spec("prior", "spring")
    for text in (str(raised.value), str(caught[0].message)):
        assert "plugin first (acme-first 1.2)" in text
        assert "plugin second (acme-second 1.2)" in text
    assert "spring" not in registry.names("prior")
    assert "harmonic" in registry.names("prior")


def test_a_third_provider_changes_nothing(make_plugin, fresh_registry):
    for name in ("first", "second", "third"):
        site = make_plugin(name, name="spring")
    fresh_registry(site)
    with pytest.warns(PluginWarning):
        registry = get_registry()
    with pytest.raises(PluginError, match="acme-first"):
        registry.spec("prior", "spring")


@pytest.mark.parametrize(("kind", "name"), [("prior", "harmonic"), ("field", "egnn"), ("energy", "openmm")])
def test_our_names_are_reserved(kind, name, make_plugin, fresh_registry):
    fresh_registry(make_plugin("thief", kind=kind, name=name))
    with pytest.warns(PluginWarning, match="reserved for tbg-"):
        registry = get_registry()
    assert (kind, name) not in next(r for r in registry.plugins if r.name == "thief").components
    assert registry.provider("prior", "harmonic").distribution == "tbg-core"


def test_another_api_version_is_refused_alone(make_plugin, fresh_registry):
    fresh_registry(make_plugin("future", api_version=2))
    with pytest.warns(PluginWarning, match="contracts version 2") as caught:
        registry = get_registry()
    assert len(caught) == 1
    with pytest.raises(PluginError, match="contracts version 2"):
        registry.spec("prior", "future")
    assert registry.spec("sampler", "importance")


def test_the_good_components_of_a_degraded_plugin_stay(make_plugin, fresh_registry):
    parts = ", target='m:C', config='m:C', summary=''"
    source = (
        f"{HOOK}@hookimpl\ndef tbg_components():\n    return ["
        f"ComponentSpec(kind='prior', name='good'{parts}), ComponentSpec(kind='priro', name='bad'{parts})]\n"
    )
    fresh_registry(make_plugin("mixed", source))
    with pytest.warns(PluginWarning, match="only partly usable.*unknown kind 'priro'"):
        registry = get_registry()
    assert registry.provider("prior", "good").status == "degraded"


def test_a_hook_that_raises_later_does_not_end_the_run(make_plugin, fresh_registry):
    make_plugin("loud", f"{HOOK}@hookimpl\ndef tbg_run_started(run):\n    raise ValueError('no disk')\n")
    told = f"{HOOK}@hookimpl\ndef tbg_run_started(run):\n    run.append('told')\n"
    fresh_registry(make_plugin("quiet", told))
    registry = get_registry()
    run: list[str] = []
    with pytest.warns(PluginWarning, match="tbg_run_started failed: ValueError: no disk"):
        registry.call("tbg_run_started", run=run)
    assert "told" in run


def test_components_of_an_unloadable_plugin_raise_when_asked_for(make_plugin, fresh_registry):
    fresh_registry(make_plugin("ghost"))
    registry = get_registry()
    assert not registry.failures  # listing imports nothing of the component
    with pytest.raises(PluginError, match="the options of prior 'ghost' cannot be imported"):
        registry.build("prior", "ghost")


def test_unknown_names_mention_plugins_that_failed(make_plugin, fresh_registry):
    fresh_registry(make_plugin("broken", BROKEN["import"]))
    with pytest.warns(PluginWarning):
        registry = get_registry()
    with pytest.raises(UnknownComponentError, match=r"plugin broken \(acme-broken 1.2\) was not loaded"):
        registry.spec("prior", "springs")
