"""All numbers of an exploration; imports nothing heavy."""

from __future__ import annotations

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class ExploreSettings(ComponentConfig):
    """Settings of ``tbg explore -s KEY=VALUE``."""

    example_frames: int = Field(1000, ge=50, description="Frames of the short simulation at the beginning.")
    example_interval_ps: float = Field(0.01, gt=0, description="Time between them (ps).")
    example_steps: int = Field(300, ge=1, description="Steps of maximum likelihood on them.")
    steps: int = Field(50, ge=1, description="Steps of training by energy in each round.")
    batch: int = Field(64, ge=4, description="Draws, and so energies, of a step.")
    learning_rate: float = Field(2e-3, gt=0, description="Of Adam, at its highest.")
    gradient_clip: float = Field(50.0, gt=0, description="Largest norm of a gradient.")
    enough: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Median share of effective draws from which on a round trains a fifth of the steps.",
    )
    margin: float = Field(100.0, gt=0, description="Draws this far above the median loss are left out (kT).")
    replay: float = Field(0.3, ge=0, le=0.9, description="Share of a training batch near points of earlier rounds.")
    points: int = Field(15, ge=1, description="Points that a round keeps of those that walkers found.")
    broaden: int = Field(4, ge=0, description="Further points around each of them that are labelled, too.")
    reach: float = Field(
        0.5, gt=0, description="How far around (rad; widths of the short simulation for a point in R^d)."
    )
    draws: int = Field(30, ge=2, description="Draws M of a label.")
    least_ess: float = Field(3.0, ge=1, description="Labels with fewer effective draws do not enter the PMF.")
    threshold: float = Field(0.25, gt=0, description="Standard deviation of F at which a walker stops (kT).")
    ceiling: float = Field(
        8.0, gt=0, description="Free energy above the minimum up to which F must be known that well (kT)."
    )
    barrier: float = Field(16.0, gt=0, description="The same for barriers, of which less need be known (kT).")
    barrier_threshold: float = Field(2.0, gt=0, description="Standard deviation at which a walker stops there (kT).")
    heat: float = Field(
        3.0, ge=1, description="Temperature of the walkers, in those of the system: they cross barriers."
    )
    walkers: int = Field(200, ge=1, description="Walkers on the PMF.")
    walk_steps: int = Field(500, ge=1, description="Hops of a walker, from cell to cell.")
    most_rounds: int = Field(100, ge=1, description="Rounds after which exploration ends in any case.")
