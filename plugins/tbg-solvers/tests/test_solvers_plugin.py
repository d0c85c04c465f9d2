"""The plugin's declarations."""

from __future__ import annotations

import importlib
import subprocess
import sys

from tbg_solvers.plugin import tbg_components


def test_declared_components_exist_and_can_be_built():
    specs = tbg_components()
    assert [spec.name for spec in specs] == ["euler", "heun", "rk4", "dopri5"]
    for spec in specs:
        spec.validate()
        module, name = spec.config.split(":")
        config = getattr(importlib.import_module(module), name)()
        module, name = spec.target.split(":")
        component = getattr(importlib.import_module(module), name)(config)
        assert component.order >= 1


def test_listing_imports_nothing_heavy():
    code = (
        "import sys, tbg_solvers.plugin, tbg_solvers.config; tbg_solvers.plugin.tbg_components();"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
