"""Options of the core's dynamics."""

from __future__ import annotations

from pydantic import Field, model_validator
from typing_extensions import Self

from tbg_core.config.base import ComponentConfig


class LangevinConfig(ComponentConfig):
    """Langevin dynamics of a molecule in any energy."""

    timestep_fs: float = Field(1.0, gt=0, le=5.0, description="Time step (fs); bonds are not constrained.")
    friction_per_ps: float = Field(5.0, gt=0, description="Friction (1/ps).")
    frame_interval_ps: float = Field(0.1, gt=0, description="Time between stored frames (ps).")
    equilibration_ps: float = Field(
        5.0, ge=0, description="Time from the minimum of the energy to the first frame (ps)."
    )
    walkers_together: int = Field(
        1, ge=1, description="Walkers moved at a time, for energies that are faster in batches. Changes no number."
    )

    @model_validator(mode="after")
    def _check_interval(self) -> Self:
        steps = self.frame_interval_ps * 1000 / self.timestep_fs
        if round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
            raise ValueError("frame_interval_ps must be a multiple of timestep_fs")
        return self
