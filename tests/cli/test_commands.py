"""The commands that look around, and those that plugins add."""

from __future__ import annotations

import json
import shlex
from importlib import import_module

import pytest
from rich.text import Text
from typer.main import get_command

from tbg_core.cli.main import VERBS, main

PLUGIN = """
from tbg_core.registry import hookimpl

@hookimpl
def tbg_commands():
    return [("wave", "fake_sea_app:app", "Wave at the sea."), ("gone", "fake_sea_gone:app", "Not there.")]
"""
APP = """
import typer
app = typer.Typer()

@app.command()
def wave(times: int = 1):
    print("wave " * times)
"""


def test_help_lists_every_verb_and_examples(tbg):
    result = tbg("--help")
    assert result.returncode == 0
    for verb in VERBS:
        assert f" {verb} " in result.stdout
    assert "tbg run --model egnn --energy openmm --system ACE-ALA-NME" in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_examples(capsys, verb):
    groups = {name: ["list"] for name in ("components", "datasets", "observables", "plugins")}
    inner = {**groups, "config": ["resolve"]}.get(verb, [])
    with pytest.raises(SystemExit) as end:
        main([verb, *inner, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "Examples" in text
    assert f"tbg {' '.join([verb, *inner])}" in text


@pytest.mark.parametrize("verb", VERBS)
def test_examples_fit_into_a_terminal_of_80_columns(verb):
    module, _, app = VERBS[verb].target.partition(":")
    command = get_command(getattr(import_module(module), app))
    for each in (command, *getattr(command, "commands", {}).values()):
        for line in Text.from_markup(each.epilog or "").plain.splitlines():
            # One column of padding on either side; prose may wrap.
            assert len(line) <= 78 or not line.startswith("  "), line


def test_components_json_is_stable(tbg):
    listed = json.loads(tbg("components", "list", "--json").stdout)
    keys = {
        "kind",
        "name",
        "summary",
        "maturity",
        "plugin",
        "distribution",
        "version",
        "api_version",
        "capabilities",
        "slots",
        "checkpoints",
        "recipes",
        "citation",
    }
    assert all(set(c) == keys for c in listed)
    flow = next(c for c in listed if c["name"] == "flow")
    assert flow["slots"]["field"] == "field"
    assert flow["distribution"] == "tbg-core"
    only = json.loads(tbg("components", "list", "--kind", "prior", "--json").stdout)
    assert {c["kind"] for c in only} == {"prior"}


def test_show_gives_types_defaults_and_units(tbg):
    text = tbg("components", "show", "flow").stdout
    assert "length_scale_nm" in text
    assert "nm" in text
    assert "float32 | float64" in text
    page = json.loads(tbg("components", "show", "hutchinson", "--json").stdout)
    assert page[0]["options"]["properties"]["probes"]["default"] == 1


def test_plugins_list_names_versions_and_states(tbg):
    listed = json.loads(tbg("plugins", "list", "--json").stdout)
    core = next(p for p in listed if p["name"] == "core")
    assert set(core) == {"name", "module", "distribution", "version", "status", "problems", "components"}
    assert core["status"] == "ok"
    assert "core" in tbg("plugins", "list").stdout


def test_resolved_config_is_a_config(tbg, tmp_path):
    first = tbg("config", "resolve", "--system", "GF", "-s", "integrator.rtol=1e-7", "-n", "12", "--seed", "4")
    assert first.returncode == 0, first.stderr
    path = tmp_path / "c.yaml"
    path.write_text(first.stdout)
    again = tbg("config", "resolve", "--config", path)
    assert again.stdout == first.stdout
    assert "num_samples: 12" in first.stdout
    assert "rtol: 1.0e-07" in first.stdout


def test_schema_is_json_and_can_be_written(tbg, tmp_path):
    assert json.loads(tbg("config", "schema").stdout)["title"] == "RunConfig"
    assert tbg("config", "schema", "--out", tmp_path / "s.json").returncode == 0
    assert json.loads((tmp_path / "s.json").read_text())["type"] == "object"
    result = tbg("config", "schema", "--out", tmp_path / "none" / "s.json")
    assert result.returncode == 2
    assert result.stderr.startswith("error: cannot write")


def test_doctor_reports_and_sets_the_exit_code(tbg):
    result = tbg("doctor", "--json")
    findings = json.loads(result.stdout)
    found = {f["what"]: f for f in findings}
    assert found["python"]["state"] == "ok"
    assert {"torch", "cores", "disk", "this folder", "device", "plugin core"} <= set(found)
    assert result.returncode == (1 if any(f["state"] == "bad" for f in findings) else 0)


def test_commands_of_plugins_are_mounted_lazily(make_plugin, tbg):
    site = make_plugin("sea", PLUGIN)
    (site / "fake_sea_app.py").write_text(APP)
    listing = tbg("--help", path=site)
    assert "Wave at the sea." in listing.stdout  # although fake_sea_gone cannot be imported
    assert tbg("wave", "--times", "2", path=site).stdout.split() == ["wave", "wave"]
    broken = tbg("gone", path=site)
    assert broken.returncode == 2
    assert broken.stderr.startswith("error: the command fake_sea_gone:app cannot be imported")
    assert len(broken.stderr.splitlines()) == 1


def test_an_interrupt_says_how_to_go_on(make_plugin, tbg):
    # The verb itself is replaced through a plugin's config class, which interrupts as Ctrl-C would.
    source = (
        "from tbg_core.registry import ComponentSpec, hookimpl\n"
        "@hookimpl\ndef tbg_components():\n"
        "    return [ComponentSpec(kind='energy', name='stop', summary='', target='fake_stop_now:E',"
        " config='fake_stop_now:C')]\n"
    )
    site = make_plugin("stop", source)
    (site / "fake_stop_now.py").write_text("raise KeyboardInterrupt\n")
    arguments = ["run", "--system", "GF", "--energy", "stop", "--out", "a b"]
    result = tbg(*arguments, path=site)
    assert result.returncode == 130
    assert result.stderr.splitlines()[-1].endswith(f"go on with: tbg {shlex.join([*arguments, '--resume'])}")
    assert "Traceback" not in result.stderr
