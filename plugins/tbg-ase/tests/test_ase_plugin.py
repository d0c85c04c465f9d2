"""The plugin's declarations."""

from __future__ import annotations

import subprocess
import sys

from tbg_ase.plugin import tbg_components
from tbg_core.registry import get_registry


def test_the_component_is_built_by_name():
    (spec,) = tbg_components()
    spec.validate()
    registry = get_registry()
    assert registry.spec("energy", "ase") == spec
    assert registry.build("energy", "ase").config.calculator == "gfn2-xtb"


def test_listing_imports_nothing_heavy():
    code = (
        "import sys, tbg_ase.plugin, tbg_ase.config; tbg_ase.plugin.tbg_components();"
        "assert not {'torch', 'ase', 'tblite', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
