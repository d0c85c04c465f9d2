"""Options of the integrators."""

from __future__ import annotations

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class EulerConfig(ComponentConfig):
    """Options of ``euler``."""

    steps: int = Field(100, ge=1, description="Equal steps between the two ends; one evaluation each.")


class HeunConfig(ComponentConfig):
    """Options of ``heun``."""

    steps: int = Field(50, ge=1, description="Equal steps between the two ends; two evaluations each.")


class RK4Config(ComponentConfig):
    """Options of ``rk4``."""

    steps: int = Field(40, ge=1, description="Equal steps between the two ends; four evaluations each.")


class Dopri5Config(ComponentConfig):
    """Options of ``dopri5``."""

    rtol: float = Field(1e-6, gt=0, le=1, description="Error allowed per step, relative to each entry.")
    atol: float = Field(1e-6, gt=0, description="Error allowed per step, absolute, in units of the state.")
    max_steps: int = Field(
        1000, ge=1, description="Steps tried, rejected ones included, before a sample fails with STEP_LIMIT."
    )
    first_step: float | None = Field(
        None,
        gt=0,
        description="Length of the first step, in time units; chosen for each sample if not given, "
        "at the price of one evaluation.",
    )
