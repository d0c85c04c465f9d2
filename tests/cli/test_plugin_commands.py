"""Commands that plugins add: groups of several plugins are one, and nothing is imported before it is used."""

from __future__ import annotations

import pytest

from tbg_core.registry import CommandSpec, PluginWarning, get_registry
from tbg_core.registry.commands import as_command

HOOK = "from tbg_core.registry import CommandSpec, hookimpl\n@hookimpl\ndef tbg_commands():\n    return "
FIRST = f"""{HOOK}[
        ("gauge", "", "Measure speed."),
        ("gauge energy", "fake_first_gauge:energy", "Energies per second."),
        CommandSpec("gauge deep dive", "fake_gone:app", "Not there."),
    ]
"""
SECOND = f"{HOOK}[('gauge flow', 'fake_second_gauge:app', 'Samples per second.'), ('gauge', '', 'Another text.')]\n"
FUNCTION = '''
def energy(count: int = 3) -> None:
    """Energies."""
    print("energies", count)
'''
APP = '''
import typer
app = typer.Typer()

@app.command()
def flow() -> None:
    """Samples."""
    print("samples")
'''


@pytest.fixture
def site(make_plugin):
    make_plugin("first", FIRST)
    folder = make_plugin("second", SECOND)
    (folder / "fake_first_gauge.py").write_text(f"print('IMPORTED')\n{FUNCTION}")
    (folder / "fake_second_gauge.py").write_text(f"print('IMPORTED')\n{APP}")
    return folder


def test_groups_of_two_plugins_are_one(tbg, site):
    root = tbg("--help", path=site).stdout
    line = next(row for row in root.splitlines() if " gauge " in row)
    assert "Measure speed." in line
    group = tbg("gauge", "--help", path=site)
    assert group.returncode == 0
    for text in ("Measure speed.", "energy", "Energies per second.", "flow", "Samples per second.", "deep"):
        assert text in group.stdout
    assert "Another text." not in group.stdout
    # Help of the group imports none of its commands, running one imports that one alone.
    assert "IMPORTED" not in root + group.stdout
    assert tbg("gauge", "energy", "--count", "4", path=site).stdout == "IMPORTED\nenergies 4\n"
    assert tbg("gauge", "flow", path=site).stdout == "IMPORTED\nsamples\n"


def test_what_is_missing_in_a_group_is_said_in_one_line(tbg, site):
    gone = tbg("gauge", "deep", "dive", path=site)
    assert gone.returncode == 2
    assert gone.stderr.startswith("error: the command fake_gone:app cannot be imported: ModuleNotFoundError")
    assert "Traceback" not in gone.stderr
    unknown = tbg("gauge", "enery", path=site)
    assert unknown.returncode == 2
    assert "no such command 'enery'. Did you mean 'energy'?" in unknown.stderr
    assert tbg("gauge", path=site).returncode == 2


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("[('gauge energy', 'm:app')]", r"'gauge energy' is refused: it clashes with a command of plugin first"),
        ("[('gauge', 'm:app')]", r"'gauge' is refused: it clashes with a command of plugin first"),
        ("[('gauge energy fast', 'm:app')]", r"'gauge energy fast' is refused: it clashes"),
        ("[('gauge energy', '', 'A group.')]", r"'gauge energy' is refused: it clashes"),
        ("[('run', 'm:app')]", r"'run' is refused: `tbg run` belongs to tbg itself"),
        ("[('run fast', 'm:app')]", r"'run fast' is refused: `tbg run` belongs to tbg itself"),
        ("[('Bench', 'm:app')]", r"command 'Bench' with target 'm:app': a name is words"),
        ("[('gauge slow', 'm.app')]", r"a target is 'module:app'"),
        ("[7]", r"tbg_commands gave 7"),
    ],
)
def test_commands_without_a_place_are_refused_alone(second, message, make_plugin, fresh_registry):
    make_plugin("first", FIRST)
    fresh_registry(make_plugin("second", f"{HOOK}{second}\n"))
    registry = get_registry()
    with pytest.warns(PluginWarning, match=message):
        names = [c.name for c in registry.commands(reserved={"run"})]
    assert {"gauge", "gauge energy", "gauge deep dive"} <= set(names)
    assert not {"run", "run fast", "gauge energy fast", "gauge slow"} & set(names)
    assert len(next(r for r in registry.plugins if r.name == "second").problems) == 1
    registry.commands(reserved={"run"})  # recorded once
    assert len(next(r for r in registry.plugins if r.name == "second").problems) == 1


def test_a_command_may_be_a_tuple():
    assert as_command(("a b", "m:app")) == CommandSpec("a b", "m:app")
