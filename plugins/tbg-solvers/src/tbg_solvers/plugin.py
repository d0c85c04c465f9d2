"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from tbg_core.registry import ComponentSpec, hookimpl

_FIXED = "tbg_solvers.fixed"
_CONFIG = "tbg_solvers.config"


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """Four integrators."""
    return [
        ComponentSpec(
            kind="integrator",
            name="euler",
            summary="Euler's method on a fixed grid (order 1).",
            target=f"{_FIXED}:Euler",
            config=f"{_CONFIG}:EulerConfig",
            capabilities=frozenset({"dense-output", "accumulators"}),
            maturity="stable",
        ),
        ComponentSpec(
            kind="integrator",
            name="heun",
            summary="Heun's trapezoidal method on a fixed grid (order 2).",
            target=f"{_FIXED}:Heun",
            config=f"{_CONFIG}:HeunConfig",
            capabilities=frozenset({"dense-output", "accumulators"}),
            maturity="stable",
        ),
        ComponentSpec(
            kind="integrator",
            name="rk4",
            summary="The classical Runge-Kutta method on a fixed grid (order 4).",
            target=f"{_FIXED}:RK4",
            config=f"{_CONFIG}:RK4Config",
            capabilities=frozenset({"dense-output", "accumulators"}),
            maturity="stable",
        ),
        ComponentSpec(
            kind="integrator",
            name="dopri5",
            summary="Dormand-Prince 5(4) with its own time and step for every sample.",
            target="tbg_solvers.adaptive:Dopri5",
            config=f"{_CONFIG}:Dopri5Config",
            capabilities=frozenset({"dense-output", "accumulators", "adaptive"}),
            maturity="stable",
            citation="Dormand and Prince, J. Comput. Appl. Math. 6, 19 (1980)",
        ),
    ]
