"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from tbg_core.registry import ComponentSpec, hookimpl


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """One integrator, which takes the method as an option."""
    return [
        ComponentSpec(
            kind="integrator",
            name="torchdiffeq",
            summary="Solvers of torchdiffeq (dopri5, dopri8, bosh3, rk4, ...); one step for the whole batch.",
            target="tbg_torchdiffeq.integrator:Torchdiffeq",
            config="tbg_torchdiffeq.config:TorchdiffeqConfig",
            capabilities=frozenset({"dense-output", "accumulators", "adaptive"}),
            citation="Chen, torchdiffeq (2018); Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018",
            conformance=("tbg_torchdiffeq.conformance:TestDopri5", "tbg_torchdiffeq.conformance:TestRK4"),
        ),
    ]
