"""Settings of the stages of a run that belong to no component."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of the settings: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class SamplingSettings(Settings):
    """How many samples are drawn, and in what blocks."""

    num_samples: int = Field(default=256, ge=1, description="Attempted samples.")
    block_size: int = Field(
        32,
        ge=1,
        description="Samples computed together; fewer need less memory. Changes rounding. 256 without a vector field.",
    )
    audit_samples: int = Field(
        2, ge=0, description="Samples whose log q is computed again, tightly and in float64, to measure its error."
    )
    shard_blocks: int = Field(1, ge=1, description="Blocks stored in one file. Changes no number.")


class OversampleSettings(Settings):
    """Draws more training data from a region that simulations visit rarely."""

    observable: str = Field(min_length=1, description="Name of a periodic observable, e.g. phi.")
    centre: float = Field(description="Centre of the region (rad).")
    kappa: float = Field(default=10.0, gt=0, description="Concentration of the von Mises window (1/rad^2).")
    share: float = Field(default=0.5, gt=0, lt=1, description="Share of the draws that come from the region.")


class TrainingSettings(Settings):
    """How a proposal is trained."""

    steps: int = Field(default=4000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(default=64, ge=1, description="Conformations per step, over all devices.")
    learning_rate: float = Field(default=2e-3, gt=0, description="Peak learning rate of Adam.")
    final_learning_rate: float = Field(default=1e-5, ge=0, description="Learning rate at the last step (cosine).")
    warmup_steps: int = Field(default=200, ge=0, description="Steps of linear warm-up.")
    ema_decay: float = Field(default=0.999, ge=0, lt=1, description="Decay per step of the averaged weights; 0: none.")
    gradient_clip: float = Field(default=1.0, gt=0, description="Largest norm of the gradient.")
    precision: Literal["32-true", "bf16-mixed"] = Field(default="32-true", description="Arithmetic of the network.")
    compile: bool = Field(default=False, description="Compile the network (needs a C++ compiler; pays in long runs).")
    checkpoint_every: int = Field(default=200, ge=1, description="Steps between resumable checkpoints.")
    log_every: int = Field(default=20, ge=1, description="Steps between lines of the training log.")
    validation_fraction: float = Field(default=0.1, ge=0, lt=1, description="Share of the data held out.")
    oversample: OversampleSettings | None = Field(default=None, description="Region to draw more data from.")


class SimulationSettings(Settings):
    """How much data is simulated; the time between frames belongs to the dynamics."""

    walkers: int = Field(default=4, ge=1, description="Independent simulations.")
    frames: int = Field(default=1000, ge=1, description="Frames stored per walker.")
    block_frames: int = Field(default=100, ge=1, description="Frames simulated and stored together.")
