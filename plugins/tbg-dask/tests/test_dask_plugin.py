"""The plugin's declarations."""

from __future__ import annotations

import subprocess
import sys

from tbg_core.registry import get_registry


def test_the_executor_can_be_named():
    executor = get_registry().build("executor", {"name": "dask", "workers": 3})
    assert executor.config.workers == 3
    assert not executor.local


def test_listing_imports_nothing_heavy():
    code = (
        "import sys, tbg_dask.plugin, tbg_dask.config; tbg_dask.plugin.tbg_components();"
        "assert not {'dask', 'distributed', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
