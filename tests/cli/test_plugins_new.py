"""``tbg plugins new`` writes plugins that work where they are installed, and refuses what cannot."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tbg_core.contracts import KINDS
from tbg_core.errors import ConfigError, StorageError
from tbg_core.scaffold.kinds import EXAMPLES
from tbg_core.scaffold.new_plugin import new_plugin, rendered, template_values

NOTHING_ELSE = ("--no-deps", "--no-build-isolation", "--no-index", "-q")
TINY = ("training.steps=30", "training.batch_size=16", "simulation.frames=200", "sampling.block_size=32")


def test_there_is_a_template_for_every_kind():
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_is_written_is_complete_and_has_the_style_of_ruff(kind, tmp_path):
    folder = new_plugin(f"acme-{kind}", kind, tmp_path)
    for name in ("pyproject.toml", "README.md", "tests/test_conformance.py", "tests/test_component.py"):
        assert (folder / name).is_file()
    source = folder / "src" / f"acme_{kind}"
    assert {p.name for p in source.iterdir()} == {
        "__init__.py",
        "py.typed",
        "plugin.py",
        "config.py",
        "component.py",
        "conformance.py",
    }
    for path in folder.rglob("*"):
        assert path.is_dir() or "{{" not in path.read_text(encoding="utf-8")
    ruff = Path(sys.executable).parent / "ruff"
    for command in (("check", "--select", "E,F,W,I,B,UP"), ("format", "--check")):
        done = subprocess.run([ruff, *command, "."], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["field", "energy"])
def test_long_and_short_names_compile(kind):
    for name in ("x1", "a-rather-long-name-of-many-words-for-a-plugin"):
        for path, text in rendered(kind, template_values(name, kind)):
            if path.endswith(".py"):
                compile(text, path, "exec")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("My_Field", "field", "is no name for a plugin.*For instance my-field"),
        ("-x", "field", "is no name for a plugin"),
        ("a--b", "field", "is no name for a plugin"),
        ("../up", "field", "is no name for a plugin"),
        ("", "field", "is no name for a plugin"),
        ("class", "field", "name of Python"),
        ("json", "field", "name of Python"),
        ("tbg-mine", "field", "kept for plugins of this project"),
        ("mlp", "field", "there is a field 'mlp' already, of plugin toys"),
        ("toys", "field", "is installed already"),
        ("numpy", "field", "is installed already"),
        ("mine", "feild", "unknown kind 'feild'. Did you mean 'field'"),
    ],
)
def test_names_that_cannot_be_used_are_refused(name, kind, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        new_plugin(name, kind, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "acme-field").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        new_plugin("acme-field", "field", tmp_path)
    assert not list((tmp_path / "acme-field").iterdir())


def test_the_command_says_what_to_do_next(tbg):
    done = tbg("plugins", "new", "acme-field", "--kind", "field", "--out", "made")
    assert done.returncode == 0
    for text in ("pip install -e made/acme-field", "tbg plugins check acme-field", "pytest made/acme-field"):
        assert text in done.stdout
    again = tbg("plugins", "new", "acme-field", "--kind", "field", "--out", "made")
    assert again.returncode == 2
    assert len(again.stderr.splitlines()) == 1


def install(environment, folder, cwd):
    done = environment.run("python", "-m", "pip", "install", *NOTHING_ELSE, folder, cwd=cwd)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_field_made_elsewhere_is_installed_checked_and_run(environment, tmp_path):
    """A third-party package passes its check and runs as ``--model NAME``; a tutorial shows it in every test run."""
    folder = new_plugin("acme-field", "field", tmp_path / "elsewhere")
    install(environment, folder, tmp_path)
    shutil.rmtree(folder)  # what is installed stands by itself
    checked = environment.run("tbg", "plugins", "check", "acme-field", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "checks passed" in checked.stdout
    options = [part for item in TINY for part in ("-s", item)]
    run = environment.run(
        *("tbg", "run", "--model", "acme-field", "--system", "double-well", "--energy", "double-well"),
        *("--from-scratch", "-n", "64", "--out", "run", "-q", *options),
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["model"] == "acme-field"
    assert metrics["attempted"] == 64
    assert metrics["valid"] == 64


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_plugin_of_every_kind_is_installed_tested_and_checked(kind, environment, tmp_path):
    folder = new_plugin(f"acme-{kind}", kind, tmp_path / "elsewhere")
    install(environment, folder, tmp_path)
    tested = environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", folder, cwd=tmp_path)
    assert tested.returncode == 0, tested.stdout
    assert re.search(r"\d+ passed", tested.stdout)
    shutil.rmtree(folder)
    checked = environment.run("tbg", "plugins", "check", f"acme-{kind}", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "checks passed" in checked.stdout


@pytest.mark.slow
def test_the_wheel_of_the_core_holds_the_templates(tmp_path):
    root = Path(__file__).parents[2]
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    shutil.copytree(root / "tbg_core", source / "tbg_core", ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index")
    subprocess.run([*pip, "-w", tmp_path / "wheel", source], check=True)
    (wheel,) = (tmp_path / "wheel").iterdir()
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True, check=True
    ).stdout
    templates = root / "tbg_core" / "scaffold" / "templates"
    for path in templates.rglob("*.jinja"):
        assert f"tbg_core/scaffold/templates/{path.relative_to(templates)}" in listed
