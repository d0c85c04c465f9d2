"""The plugin's declarations."""

from __future__ import annotations

import subprocess
import sys

from tbg_core.registry import get_registry
from tbg_torchdiffeq.plugin import tbg_components


def test_the_component_is_built_by_name():
    (spec,) = tbg_components()
    spec.validate()
    registry = get_registry()
    assert registry.spec("integrator", "torchdiffeq") == spec
    assert registry.build("integrator", {"name": "torchdiffeq", "method": "dopri8"}).order == 8


def test_listing_imports_nothing_heavy():
    code = (
        "import sys, tbg_torchdiffeq.plugin, tbg_torchdiffeq.config; tbg_torchdiffeq.plugin.tbg_components();"
        "assert not {'torch', 'torchdiffeq'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
