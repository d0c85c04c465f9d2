"""Options of the samplers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class ImportanceSamplerConfig(ComponentConfig):
    """Plain importance sampling has no options: no weight is clipped and no sample left out."""


class MoveConfig(ComponentConfig):
    """Hamiltonian moves, whose step sizes a pilot population finds."""

    leapfrog_steps: int = Field(
        10, ge=1, description="Leapfrog steps of a move, one energy and its gradient each; 1: MALA."
    )
    acceptance: float = Field(0.7, gt=0, lt=1, description="Acceptance that the pilot aims at; 0.57 suits MALA.")
    pilot_size: int = Field(128, ge=16, description="Draws of the pilot, which are not used for anything else.")


class SMCConfig(MoveConfig):
    """Annealing from the proposal to the target."""

    steps: int = Field(16, ge=1, description="Annealing steps; the pilot spaces them, the last one is the target.")
    moves_per_step: int = Field(1, ge=0, description="Moves after each step.")
    resample_below: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Resample when the effective share of a population falls below this; 0: never, which is "
        "annealed importance sampling; 1: after every step.",
    )
    drive: Literal["auto", "target", "path"] = Field(
        "auto",
        description="What moves follow before they are accepted or not: target, the forces alone (cheap, and enough "
        "where the proposal resembles the target); path, with the gradient of log q. auto: the forces, unless the "
        "pilot finds that its steps must be tiny somewhere on the path.",
    )


class IndependenceMetropolisConfig(MoveConfig):
    """Chains that jump by the proposal and move by the forces."""

    sweeps: int = Field(32, ge=1, description="Sweeps of each chain in a block; each gives one sample.")
    moves_per_sweep: int = Field(4, ge=0, description="Moves by the forces after each attempt to jump.")
