"""Settings of the stages of a run that belong to no component."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


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
    """Draws more training data from a region that simulations visit rarely, of each system that has the observable."""

    observable: str = Field(min_length=1, description="Name of a periodic observable, e.g. phi.")
    centre: float = Field(description="Centre of the region (rad).")
    kappa: float = Field(default=10.0, gt=0, description="Concentration of the von Mises window (1/rad^2).")
    share: float = Field(default=0.5, gt=0, lt=1, description="Share of the draws that come from the region.")


class TrainingSettings(Settings):
    """How a proposal is trained."""

    steps: int = Field(default=4000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(default=64, ge=1, description="Conformations per step, over all devices.")
    learning_rate: float = Field(default=2e-3, gt=0, description="Peak learning rate of Adam.")
    schedule: Literal["cosine", "one-cycle", "step"] = Field(
        default="cosine",
        description="After the warm-up: cosine to the final rate; one-cycle: the same, but the warm-up is a half "
        "cosine from the final rate; step: the peak rate, multiplied by drop_factor at each of drops.",
    )
    final_learning_rate: float = Field(
        default=1e-5, ge=0, description="Learning rate at the last step (cosine, one-cycle)."
    )
    warmup_steps: int | float = Field(
        default=200, ge=0, description="Steps of warm-up, linear but for one-cycle; below 1: that share of all steps."
    )
    drops: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(), description="Where the rate drops, as shares of all steps, e.g. [0.5, 0.75] (step)."
    )
    drop_factor: float = Field(default=0.1, gt=0, description="What the rate is multiplied by at each drop (step).")
    weight_decay: float = Field(
        default=0.0, ge=0, description="Decoupled weight decay (AdamW), times the learning rate; 0: plain Adam."
    )
    ema_decay: float = Field(default=0.999, ge=0, lt=1, description="Decay per step of the averaged weights; 0: none.")
    gradient_clip: float | None = Field(
        default=1.0, gt=0, description="Largest norm of the gradient; null: it is not clipped."
    )
    rows_at_once: int | None = Field(
        default=None,
        ge=1,
        description="Conformations that pass through the network together; a step adds up their gradients. "
        "Fewer need less memory, and run faster where they fit into the caches. null: all of a step.",
    )
    precision: Literal["32-true", "bf16-mixed"] = Field(default="32-true", description="Arithmetic of the network.")
    compile: bool = Field(default=False, description="Compile the network (needs a C++ compiler; pays in long runs).")
    checkpoint_every: int = Field(default=200, ge=1, description="Steps between resumable checkpoints.")
    log_every: int = Field(default=20, ge=1, description="Steps between lines of the training log.")
    validation_fraction: float = Field(default=0.1, ge=0, lt=1, description="Share of the data held out.")
    oversample: OversampleSettings | None = Field(default=None, description="Region to draw more data from.")

    @field_validator("warmup_steps")
    @classmethod
    def _count_or_share(cls, value: float) -> float:
        if 0.0 < value < 1.0:
            return value
        if value != int(value):
            raise ValueError("is a number of steps, or a share of them below 1")
        return int(value)

    @property
    def warmup(self) -> int:
        """Steps of warm-up, counted."""
        return self.warmup_steps if isinstance(self.warmup_steps, int) else round(self.warmup_steps * self.steps)


class SimulationSettings(Settings):
    """How much data is simulated; the time between frames belongs to the dynamics."""

    walkers: int = Field(default=4, ge=1, description="Independent simulations.")
    frames: int = Field(default=1000, ge=1, description="Frames stored per walker.")
    block_frames: int = Field(default=100, ge=1, description="Frames simulated and stored together.")
