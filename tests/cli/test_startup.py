"""Looking around is quick: nothing heavy is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "openmm",
    "e3nn",
    "ase",
    "mdtraj",
    "matplotlib",
    "lightning_fabric",
    "networkx",
)

PROBE = """
import sys
from tbg_core.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print('IMPORTED', code, *sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("run", "--help"),
        ("train", "--help"),
        ("components", "list"),
        ("components", "list", "--json"),
        ("components", "show", "flow"),
        ("plugins", "list", "--json"),
        ("plugins", "new", "--help"),
        ("toys", "--help"),
        ("cite", "--component", "flow"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(arguments):
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    line = next(part for part in result.stderr.splitlines() if part.startswith("IMPORTED"))
    _, code, *modules = line.split()
    assert code == "0"
    assert "tbg_core" in modules
    assert not set(HEAVY) & set(modules)


def test_help_of_the_group_imports_no_verb():
    probe = PROBE.replace("if '.' not in m", "if m.startswith('tbg_core.cli.')")
    result = subprocess.run(
        [sys.executable, "-c", probe, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "tbg_core.cli.main" in result.stderr
    assert "tbg_core.cli.run" not in result.stderr.split()


def test_the_configs_and_declarations_of_our_plugins_import_nothing_heavy():
    probe = """
import sys
from tbg_core.registry import get_registry
registry = get_registry()
for spec in registry.specs():
    registry.config_class(spec.kind, spec.name)
print(len(registry.specs()), *sorted(m for m in sys.modules if '.' not in m))
"""
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True)
    count, *modules = result.stdout.split()
    assert int(count) >= 9
    assert not set(HEAVY) & set(modules)


def test_the_public_names_are_lazy_and_there():
    probe = """
import sys
import tbg_core
assert 'torch' not in sys.modules and 'numpy' not in sys.modules
assert set(tbg_core.__all__) <= set(dir(tbg_core))
print(*(getattr(tbg_core, n).__name__ for n in ('Molecule', 'load_target', 'Ensemble')), tbg_core.__version__)
try:
    tbg_core.nothing
except AttributeError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=120, check=True)
    assert "Molecule load_target Ensemble " in result.stdout
    assert "module 'tbg_core' has no attribute 'nothing'" in result.stdout
