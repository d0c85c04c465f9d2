"""Options of the integrator."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from tbg_core.config.base import ComponentConfig

Method = Literal[
    "dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun", "euler", "midpoint", "heun2", "heun3", "rk4"
]

ADAPTIVE: Final[dict[str, int]] = {"dopri5": 5, "dopri8": 8, "bosh3": 3, "fehlberg2": 2, "adaptive_heun": 2}
"""Methods that choose their steps, with their order."""

FIXED: Final[dict[str, int]] = {"euler": 1, "midpoint": 2, "heun2": 2, "heun3": 3, "rk4": 4}
"""Methods on a grid, with their order."""


class TorchdiffeqConfig(ComponentConfig):
    """Options of ``torchdiffeq``."""

    method: Method = Field(
        "dopri5",
        description=f"Solver. {', '.join(ADAPTIVE)} choose one step for the whole batch; {', '.join(FIXED)} take "
        "equal steps.",
    )
    rtol: float = Field(1e-5, gt=0, le=1, description="Error allowed per step, relative; for methods that choose it.")
    atol: float = Field(
        1e-5, gt=0, description="Error allowed per step, absolute, in units of the state; for methods that choose it."
    )
    max_steps: int = Field(
        1000,
        ge=1,
        description="Steps tried, rejected ones included, before the samples still under way fail with STEP_LIMIT; "
        "for methods that choose their steps.",
    )
    steps: int = Field(40, ge=1, description="Equal steps between the two ends; for methods on a grid.")
