"""The configuration of a run: which component plays each part, and the settings of the stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tbg_core.config.settings import SamplingSettings, SimulationSettings, TrainingSettings
from tbg_core.errors import ConfigError
from tbg_core.registry.references import split, text_and_options

ComponentRef = dict[str, Any]
"""``{"name": str, **options}``; options named like a slot of the component are references themselves."""

COMPONENT_KEYS: Final[dict[str, str]] = {
    "model": "proposal",
    "prior": "prior",
    "integrator": "integrator",
    "likelihood": "likelihood",
    "energy": "energy",
    "objective": "objective",
    "sampler": "sampler",
    "dynamics": "dynamics",
    "executor": "executor",
}
"""Key of the configuration -> kind of the component it names (a ``model`` may also be a field)."""

DEFAULT_NAMES: Final[dict[str, str]] = {
    "model": "egnn",
    "prior": "harmonic",
    "integrator": "dopri5",
    "likelihood": "quadrature",
    "energy": "openmm",
    "objective": "flow-matching",
    "sampler": "importance",
    "dynamics": "engine",
    "executor": "local",
}

SLOT_KEYS: Final = ("prior", "integrator", "likelihood")
"""Keys that fill slots of the proposal."""

DEFAULT_SYSTEM: Final = "ACE-ALA-NME"


def _named(key: str) -> Any:
    return Field(
        default_factory=lambda: {"name": DEFAULT_NAMES[key]},
        description=f"Name of the {key}, or a mapping with `name` and its options.",
    )


class RunConfig(BaseModel):
    """Everything that determines a run, free of import paths and of torch.

    Component keys take a name or a mapping with ``name``; a mapping without one configures the default. None
    means that the run has no such part (e.g. a proposal without a prior).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, ser_json_inf_nan="constants")

    recipe: str | None = Field(
        default=None,
        min_length=1,
        description="Named settings that a plugin ships, under all others; `tbg config recipes` lists them.",
    )
    system: str | ComponentRef = Field(
        default=DEFAULT_SYSTEM,
        description="Name, one-letter sequence, residue codes, PDB path, or a mapping with `name`.",
    )
    model: ComponentRef = _named("model")
    prior: ComponentRef | None = _named("prior")
    integrator: ComponentRef | None = _named("integrator")
    likelihood: ComponentRef | None = _named("likelihood")
    energy: ComponentRef = _named("energy")
    objective: ComponentRef | None = _named("objective")
    sampler: ComponentRef = _named("sampler")
    dynamics: ComponentRef | None = _named("dynamics")
    executor: ComponentRef = _named("executor")
    sampling: SamplingSettings = SamplingSettings()
    training: TrainingSettings = TrainingSettings()
    simulation: SimulationSettings = SimulationSettings()
    temperature_K: float | None = Field(default=None, gt=0, description="K; null: the default of the energy backend.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Every random number of the run follows from it.")

    @field_validator(*COMPONENT_KEYS, mode="before")
    @classmethod
    def _as_reference(cls, value: Any, info: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Mapping) and "name" not in value:
            value = {"name": DEFAULT_NAMES[info.field_name], **value}
        return _reference(info.field_name, value)

    @field_validator("system", mode="before")
    @classmethod
    def _system(cls, value: Any) -> Any:
        if isinstance(value, str):
            if not value.strip():
                raise ValueError("the system is empty")
            return value.strip()
        return _reference("system", value, text_and_options)

    @property
    def system_label(self) -> str:
        """What the user called the system, for folder names and messages."""
        return self.system if isinstance(self.system, str) else str(self.system["name"])

    @property
    def model_label(self) -> str:
        """What the user called the model: the field of a resolved flow."""
        inner = self.model.get("field")
        name = inner["name"] if isinstance(inner, Mapping) and "name" in inner else inner
        return str(name or self.model["name"])


def _reference(key: str, value: Any, parts: Callable[[str, Any], tuple[str, dict[str, Any]]] = split) -> ComponentRef:
    try:
        name, options = parts(key, value)
        _check_nested(key, options)
    except ConfigError as error:
        # pydantic collects ValueErrors; it would let a ConfigError through without the key.
        raise ValueError(str(error)) from None
    return {"name": name, **options}


def _check_nested(key: str, value: Any) -> None:
    """Refuses import paths as names of components inside options."""
    if isinstance(value, Mapping):
        for inner_key, inner in value.items():
            if isinstance(inner, Mapping) and "name" in inner:
                split(f"{key}.{inner_key}", inner)
            _check_nested(f"{key}.{inner_key}", inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_nested(key, inner)
