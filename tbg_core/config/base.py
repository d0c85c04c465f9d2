"""Base class of every component's options."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ComponentConfig(BaseModel):
    """Options of a component: frozen, no unknown keys, every field with a unit and a description.

    Subclasses live in a module ``config.py`` that imports no torch, and declare fields as
    ``width: int = Field(64, ge=1, description="Hidden width (units).")``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, ser_json_inf_nan="constants")
