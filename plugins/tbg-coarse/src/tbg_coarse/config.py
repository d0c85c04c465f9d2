"""Options of the coarse-grained proposal and of its dynamics; imports no torch."""

from __future__ import annotations

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class CoarseConfig(ComponentConfig):
    """Coarse coordinates, size of the conditional density, grid of the density of s."""

    cvs: tuple[str, ...] = Field(
        ("phi", "psi"),
        description="Coarse coordinates s: one or two torsions of a molecule, or x:0 and so on of a point.",
    )
    width: int = Field(64, ge=4, description="Width of the hidden layers (units).")
    layers: int = Field(2, ge=1, description="Hidden layers.")
    bins: int = Field(8, ge=2, description="Bins of each spline.")
    grid: int = Field(72, ge=8, description="Cells of the density of s along each coarse coordinate.")
    rotors: int | None = Field(None, ge=0, description="Number of rotors; found from the system.")
    stiff: int | None = Field(None, ge=0, description="Number of stiff coordinates; found from the system.")
    periodic: bool = Field(True, description="Whether s are angles; found from the system.")


class VectorLangevinConfig(ComponentConfig):
    """Langevin dynamics of a point of unit mass (amu, where a coordinate unit is a nanometre)."""

    timestep_fs: float = Field(20.0, gt=0, description="Time step (fs).")
    friction_per_ps: float = Field(5.0, gt=0, description="Friction (1/ps).")
    frame_interval_ps: float = Field(0.2, gt=0, description="Time between stored frames (ps).")
    walkers_together: int = Field(64, ge=1, description="Walkers moved at a time. Changes no number.")
