"""From a reference to a component: options are checked, slots built, and the target imported last."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tbg_core.config.base import ComponentConfig
from tbg_core.config.validation import one_line
from tbg_core.errors import ConfigError, PluginError
from tbg_core.registry.references import split

if TYPE_CHECKING:
    from tbg_core.registry.references import Reference
    from tbg_core.registry.registry import Registry
    from tbg_core.registry.spec import ComponentSpec


def config_class(registry: Registry, kind: str, name: str) -> type[ComponentConfig]:
    """Imports the options' model of a component."""
    spec = registry.spec(kind, name)
    found = registry.load(spec.config, f"the options of {kind} {name!r}")
    if not (inspect.isclass(found) and issubclass(found, ComponentConfig)):
        raise PluginError(
            f"the options of {kind} {name!r} ({spec.config}) are no ComponentConfig.",
            fix="Derive them from tbg_core.config.base.ComponentConfig.",
        )
    return found


def validated(registry: Registry, kind: str, name: str, options: Mapping[str, Any]) -> ComponentConfig:
    """The options as the component's model.

    Raises:
        ConfigError: In one line that names the option and what is allowed.
    """
    model = config_class(registry, kind, name)
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        raise one_line(error, model, f"{kind} {name!r}") from None


def complete(registry: Registry, kind: str, reference: Reference) -> dict[str, Any]:
    """The reference with all defaults written out; slots that it does not name stay out."""
    name, options = split(kind, reference)
    spec = registry.spec(kind, name)
    slots = _pop_slots(spec, options)
    config = validated(registry, kind, name, options)
    filled = {slot: complete(registry, spec.slots[slot], inner) for slot, inner in slots.items()}
    return {"name": name, **config.model_dump(mode="json"), **filled}


def build(registry: Registry, kind: str, reference: Reference, slots: Mapping[str, Any]) -> Any:
    """Makes the component with its slots."""
    name, options = split(kind, reference)
    spec = registry.spec(kind, name)
    wanted = _pop_slots(spec, options)
    if unknown := sorted(set(slots) - set(spec.slots)):
        known = ", ".join(spec.slots) or "none"
        raise ConfigError(f"{kind} {name!r} has no slot {unknown[0]!r}.", fix=f"Its slots: {known}.")
    wanted.update({slot: inner for slot, inner in slots.items() if inner is not None})
    if missing := [slot for slot in spec.slots if slot not in wanted]:
        raise ConfigError(
            f"{kind} {name!r} needs a {spec.slots[missing[0]]} in its slot {missing[0]!r}.",
            fix=f"Known: {', '.join(registry.names(spec.slots[missing[0]])) or 'none installed'}.",
        )
    config = validated(registry, kind, name, options)
    built = {
        slot: build(registry, spec.slots[slot], inner, {}) if isinstance(inner, (str, Mapping)) else inner
        for slot, inner in wanted.items()
    }
    return registry.load(spec.target, f"{kind} {name!r}")(config, **built)


def _pop_slots(spec: ComponentSpec, options: dict[str, Any]) -> dict[str, Any]:
    """Takes the references for the slots of ``spec`` out of ``options``; null means not given."""
    found = {slot: options.pop(slot) for slot in spec.slots if slot in options}
    return {slot: inner for slot, inner in found.items() if inner is not None}
