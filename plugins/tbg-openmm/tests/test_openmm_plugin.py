"""The plugin: what it declares, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tbg_core.errors import UnsupportedSystemError
from tbg_core.registry import get_registry
from tbg_openmm import plugin


def test_every_component_builds_through_the_registry(nma):
    registry = get_registry()
    for spec in plugin.tbg_components():
        spec.validate()
        assert registry.spec(spec.kind, spec.name) == spec
    molecule = registry.build("system", {"name": "peptide", "sequence": "ACE-NME"}).build()
    assert molecule == nma
    energy = registry.build("energy", "openmm")
    assert energy.default_temperature_K(nma) == 300.0
    assert registry.build("dynamics", {"name": "openmm", "frame_interval_ps": 2.0}).frame_interval_ps == 2.0


def test_texts_go_to_the_right_source(tmp_path, nma, pdb_text):
    registry = get_registry()
    path = tmp_path / "molecule.pdb"
    path.write_text(pdb_text(nma))
    assert registry.resolve_system("GF") == {"name": "peptide", "sequence": "GF"}
    assert registry.resolve_system("ACE-ALA-NME") == {"name": "peptide", "sequence": "ACE-ALA-NME"}
    assert registry.resolve_system(str(path)) == {"name": "pdb", "path": str(path)}
    with pytest.raises(UnsupportedSystemError, match="AX1"):
        registry.resolve_system("AX1")


def test_plugin_and_config_import_nothing_heavy():
    program = (
        "import sys, tbg_openmm.plugin, tbg_openmm.config; tbg_openmm.plugin.tbg_components();"
        "print([m for m in ('torch', 'openmm', 'Bio', 'PeptideBuilder', 'scipy') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_worker_processes_do_not_import_torch():
    program = "import sys, tbg_openmm.evaluation; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"


def test_the_hook_writes_trajectories_only_where_there_is_an_ensemble(tmp_path):
    plugin.tbg_run_finished(SimpleNamespace(folder=tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_readme_states_every_option():
    from tbg_openmm import config

    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for model in (config.PeptideConfig, config.PdbConfig, config.OpenMMConfig, config.EngineDynamicsConfig):
        for name, field in model.model_fields.items():
            assert f"`{name}`" in readme, name
            assert field.description
