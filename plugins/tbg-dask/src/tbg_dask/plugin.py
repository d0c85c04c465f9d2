"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from tbg_core.registry import ComponentSpec, hookimpl


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """One executor."""
    return [
        ComponentSpec(
            kind="executor",
            name="dask",
            summary="Dask workers: of this machine, of a running scheduler, or jobs of a batch system.",
            target="tbg_dask.executor:DaskExecutor",
            config="tbg_dask.config:DaskConfig",
            citation="Rocklin, Dask: parallel computation with blocked algorithms and task scheduling, SciPy 2015",
            conformance=("tbg_dask.conformance:TestDask",),
        )
    ]
