"""Which part of a configuration each stage depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tbg_core.config.run_config import RunConfig

_SIMULATE = ("system", "energy", "dynamics", "simulation", "temperature_K", "seed")
_TRAIN = ("recipe", "model", "prior", "objective", "training", "seed")
_SAMPLE = (
    "system",
    "model",
    "prior",
    "integrator",
    "likelihood",
    "energy",
    "sampler",
    "sampling",
    "temperature_K",
    "seed",
)
STAGES: Final[dict[str, tuple[str, ...]]] = {
    "simulate": _SIMULATE,
    "train": _TRAIN,
    "sample": _SAMPLE,
    "run": tuple(dict.fromkeys((*_SAMPLE, *_SIMULATE, *_TRAIN))),
}


def stage_content(config: RunConfig, stage: str) -> dict[str, Any]:
    """The configuration keys that determine what a stage produces, as plain data for ``config.yaml``."""
    data = config.model_dump(mode="json")
    return {key: data[key] for key in STAGES[stage]}
