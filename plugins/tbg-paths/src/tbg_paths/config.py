"""Settings of path sampling; imports nothing heavy."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from tbg_core.config.base import ComponentConfig

MOVES: Final[dict[str, tuple[str, ...]]] = {
    "latent-all": ("latent-all",),
    "latent-few": ("latent-few",),
    "latent-gp": ("latent-gp",),
    "latent-shift": ("latent-shift",),
    "latent": ("latent-all", "latent-few", "latent-gp", "latent-shift"),
    "one-way": ("one-way",),
    "two-way": ("two-way",),
    "shift": ("shift",),
    "shooting": ("one-way", "two-way", "shift"),
}
"""What may be written after ``--moves``, and the elementary moves that it stands for."""


class PathSettings(ComponentConfig):
    """How transition paths are sampled."""

    start: str = Field(min_length=1, description="State A, where paths begin: see `tbg paths --help`.")
    end: str = Field(min_length=1, description="State B, where they end.")
    moves: tuple[str, ...] = Field(
        ("latent", "shooting"), min_length=1, description="Sets of moves, each with chains of its own; `+` joins moves."
    )
    dynamics: Literal["overdamped", "langevin"] = Field(
        description="Overdamped Langevin dynamics (Euler-Maruyama), or Langevin dynamics with inertia."
    )
    frames: int = Field(ge=4, description="Frames of a path; every step of the dynamics is a frame.")
    timestep: float = Field(gt=0, description="Time between frames (ps; coordinate units^2 for toys).")
    friction: float = Field(gt=0, description="Friction (1/ps; 1 per unit of time for toys).")
    chains: int = Field(8, ge=2, description="Independent chains of each set of moves.")
    steps: int = Field(1000, ge=1, description="Moves of each chain after the burn-in.")
    burn_in: int = Field(300, ge=0, description="Moves before that, in which step sizes are adapted.")
    store_every: int = Field(5, ge=1, description="A path of each chain is stored every so many moves.")
    block: int = Field(100, ge=1, description="Moves between two points from which a killed job goes on.")
    cvs: tuple[str, str] = Field(description="Two observables: the plane in which paths are shown.")
    draws: int = Field(
        512, ge=2, description="Draws of the proposal among which the ends of the first paths are found."
    )
    acceptance: float = Field(0.3, gt=0, lt=1, description="Acceptance that the burn-in adjusts step sizes to.")
    velocity_memory: float = Field(
        0.5, ge=0, lt=1, description="Share of the velocity that two-way shooting with inertia keeps at its frame."
    )
    committor_points: int = Field(64, ge=0, description="Frames of paths whose committor is measured by trajectories.")
    committor_shots: int = Field(16, ge=2, description="Trajectories from each of them.")

    @model_validator(mode="after")
    def _stores_something(self) -> PathSettings:
        if self.store_every > min(self.block, self.steps):
            raise ValueError("store_every is larger than steps or block: no path would be stored")
        return self

    @field_validator("moves")
    @classmethod
    def _known(cls, moves: tuple[str, ...]) -> tuple[str, ...]:
        for name in moves:
            for part in name.split("+"):
                if part not in MOVES:
                    raise ValueError(f"there are no moves {part!r}; there are {', '.join(MOVES)}")
        if len(set(moves)) < len(moves):
            raise ValueError("a set of moves is named twice")
        return moves


def elementary(name: str) -> tuple[str, ...]:
    """The elementary moves of a set of moves, ``"latent+one-way"``."""
    return tuple(dict.fromkeys(move for part in name.split("+") for move in MOVES[part]))
