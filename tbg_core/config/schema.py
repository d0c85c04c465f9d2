"""JSON schema of a configuration file, with the options of every installed component."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tbg_core.config.run_config import COMPONENT_KEYS, RunConfig
from tbg_core.errors import TbgError
from tbg_core.registry.registry import get_registry

if TYPE_CHECKING:
    from tbg_core.registry.registry import Registry
    from tbg_core.registry.spec import ComponentSpec

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(registry: Registry | None = None) -> dict[str, Any]:
    """A schema that editors can check config files against.

    A component whose options cannot be imported is left out; ``tbg plugins list`` says why.
    """
    registry = registry or get_registry()
    schema = RunConfig.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    for spec in registry.specs():
        with suppress(TbgError):
            definitions[_key(spec)] = _component(registry, spec, definitions)
    for key, kind in {**COMPONENT_KEYS, "system": "system"}.items():
        kinds = ("proposal", "field") if key == "model" else (kind,)
        specs = [s for k in kinds for s in registry.specs(k) if _key(s) in definitions]
        schema["properties"][key] = {
            "description": schema["properties"][key].get("description", ""),
            "anyOf": _alternatives(key, specs),
        }
    return {"$schema": DRAFT, **schema}


def _alternatives(key: str, specs: list[ComponentSpec]) -> list[dict[str, Any]]:
    name: dict[str, Any] = {"type": "string"} if key == "system" else {"enum": [s.name for s in specs]}
    return [name, *({"$ref": f"#/$defs/{_key(s)}"} for s in specs), {"type": "null"}]


def _component(registry: Registry, spec: ComponentSpec, definitions: dict[str, Any]) -> dict[str, Any]:
    model = registry.config_class(spec.kind, spec.name)
    # Nested models are told apart by the component they belong to.
    schema = model.model_json_schema(ref_template=f"#/$defs/{_key(spec)}.{{model}}")
    for inner, definition in schema.pop("$defs", {}).items():
        definitions[f"{_key(spec)}.{inner}"] = definition
    properties = {"name": {"const": spec.name}, **schema.get("properties", {})}
    for slot, kind in spec.slots.items():
        others = registry.specs(kind)
        properties[slot] = {
            "anyOf": [{"enum": [s.name for s in others]}, *({"$ref": f"#/$defs/{_key(s)}"} for s in others)]
        }
    return {**schema, "title": spec.name, "description": spec.summary, "properties": properties}


def _key(spec: ComponentSpec) -> str:
    return f"{spec.kind}.{spec.name}"
