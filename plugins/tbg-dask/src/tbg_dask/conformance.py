"""How the conformance tests make the executor."""

from __future__ import annotations

from tbg_core.testing import ExecutorConformance
from tbg_dask.config import DaskConfig
from tbg_dask.executor import DaskExecutor


class TestDask(ExecutorConformance):
    """With two workers of this machine, one of which may die."""

    def make(self) -> DaskExecutor:
        """The executor."""
        return DaskExecutor(DaskConfig(deaths=0))
