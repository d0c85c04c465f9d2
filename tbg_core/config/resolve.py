"""Completes a configuration, so that ``config.yaml`` of a run says everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tbg_core.config.load import make_config
from tbg_core.config.run_config import COMPONENT_KEYS, DEFAULT_NAMES, SLOT_KEYS, RunConfig
from tbg_core.config.suitability import (
    basis_of_model,
    basis_of_system,
    check_dynamics,
    check_fit,
    default_for,
    dynamics_for,
)
from tbg_core.errors import PluginError, UnknownComponentError, UnsupportedSystemError
from tbg_core.registry.registry import get_registry

if TYPE_CHECKING:
    from tbg_core.config.suitability import Basis
    from tbg_core.registry.registry import Registry

ONE_PASS_BLOCK: Final = 256
"""Block of samples of a proposal without a vector field, where none was given."""
_PLAIN = ("energy", "objective", "sampler", "dynamics", "executor")


def resolve(
    config: RunConfig, needs: Iterable[str] = (), registry: Registry | None = None, data_system: Any = None
) -> RunConfig:
    """The same run with every option of every component written out; resolving twice changes nothing.

    ``model_fields_set`` of the result still holds what the user gave, so that a checkpoint can tell a choice from a
    default.

    A component that was neither named by the user nor is needed, and whose plugin is not installed, becomes
    None or stays a bare name, so that a toy can be sampled without a force field. A component that was not named
    is the default for the class of the system.

    Args:
        config: What the user asked for.
        needs: Keys whose components the run cannot do without.
        registry: Where to look; the installed components by default.
        data_system: In training, which needs no system of its own: that of the data, as their config names it.

    Raises:
        ConfigError: If a component or an option is unknown, or a component is for other systems, in one line.
        PluginError: If a component's plugin does not work.
        UnsupportedSystemError: If the system is not understood.
    """
    registry = registry or get_registry()
    required = set(needs) | {key for key in ("system", *COMPONENT_KEYS) if _was_given(config, key)}
    system = _system(config, registry, needed="system" in required)
    basis = _basis(config, registry, system if "system" in required else data_system)
    if basis is not None:
        config = _suited(config, registry, basis)
    data: dict[str, Any] = config.model_dump(mode="json")
    data["system"] = system
    if "dynamics" in required and data["dynamics"] is not None:
        check_dynamics(registry, basis, data["dynamics"]["name"], data["energy"]["name"])
    objective, in_one_pass = _training_of(config, registry)
    if objective and not _was_given(config, "objective") and data["objective"] is not None:
        data["objective"] = {"name": objective}
    if in_one_pass and "block_size" not in config.sampling.model_fields_set:
        data["sampling"]["block_size"] = ONE_PASS_BLOCK
    for key in _PLAIN:
        if data[key] is not None:
            data[key] = _complete(registry, COMPONENT_KEYS[key], data[key], needed=key in required)
    data.update(_model(config, registry, required))
    if basis is not None:
        check_fit(registry, basis, data, [k for k in COMPONENT_KEYS if k in required | _slots_needed(required)])
    resolved = make_config({key: value for key, value in data.items() if value is not None or key in _OPTIONAL})
    return RunConfig.model_construct(config.model_fields_set, **dict(resolved))


_OPTIONAL = {"prior", "integrator", "likelihood", "objective", "dynamics", "temperature_K"}


def proposal_reference(config: RunConfig, registry: Registry | None = None) -> dict[str, Any]:
    """The reference that builds the proposal of ``config`` with all its slots.

    Raises:
        ConfigError: If a slot is given that the proposal lacks.
    """
    given = {key: getattr(config, key) for key in SLOT_KEYS if _was_given(config, key)}
    defaults = {key: getattr(config, key) for key in SLOT_KEYS}
    return (registry or get_registry()).resolve_model(config.model, given, defaults)


def _system(config: RunConfig, registry: Registry, *, needed: bool) -> Any:
    try:
        return registry.complete("system", registry.resolve_system(config.system))
    except (UnknownComponentError, PluginError, UnsupportedSystemError):
        if needed:
            raise
        return config.system


def _basis(config: RunConfig, registry: Registry, system: Any) -> Basis | None:
    """What the components have to fit: the system, or where it is not known the model that was asked for."""
    found = basis_of_system(registry, system)
    if found is not None or not _was_given(config, "model"):
        return found
    return basis_of_model(registry, proposal_reference(config, registry), config.model_label)


def _suited(config: RunConfig, registry: Registry, basis: Basis) -> RunConfig:
    """The configuration with the defaults that fit; what counts as given by the user stays the same."""
    defaults: dict[str, dict[str, Any]] = {
        key: {"name": default_for(registry, kind, basis, DEFAULT_NAMES[key])}
        for key, kind in COMPONENT_KEYS.items()
        if key not in config.model_fields_set
    }
    if "dynamics" in defaults:
        energy = defaults.get("energy") or config.energy
        defaults["dynamics"]["name"] = dynamics_for(registry, basis, energy["name"], defaults["dynamics"]["name"])
    model = defaults.get("model", config.model)
    if _lacks_field(model, registry):
        field = default_for(registry, "field", basis, DEFAULT_NAMES["model"])
        defaults["model"] = {**model, "field": {"name": field}}
    return RunConfig.model_construct(config.model_fields_set, **{**dict(config), **defaults})


def _lacks_field(model: dict[str, Any], registry: Registry) -> bool:
    """True for a proposal by name, such as ``flow``, that moves along a vector field, where none was named."""
    name = model["name"]
    if name not in registry.names("proposal"):
        return False
    return "field" in registry.spec("proposal", name).slots and model.get("field") is None


def _training_of(config: RunConfig, registry: Registry) -> tuple[str, bool]:
    """The objective that goes with a proposal, ``""`` for the usual one, and whether it works in one pass.

    A proposal without a vector field has nothing to match, but a likelihood; and its large blocks fit the memory.
    """
    try:
        spec = registry.spec("proposal", proposal_reference(config, registry)["name"])
    except (UnknownComponentError, PluginError):
        return "", False
    in_one_pass = "field" not in spec.slots
    return spec.objective or ("maximum-likelihood" if in_one_pass else ""), in_one_pass


def _slots_needed(required: set[str]) -> set[str]:
    return set(SLOT_KEYS) if "model" in required else set()


def _model(config: RunConfig, registry: Registry, required: set[str]) -> dict[str, Any]:
    try:
        reference = proposal_reference(config, registry)
    except (UnknownComponentError, PluginError):
        if "model" in required:
            raise
        return {}
    spec = registry.spec("proposal", reference["name"])
    filled: dict[str, Any] = dict.fromkeys(SLOT_KEYS)
    for key in SLOT_KEYS:
        inner = reference.pop(key, None)
        if inner is not None:
            needed = key in required or "model" in required
            filled[key] = _complete(registry, spec.slots[key], inner, needed=needed)
    return {"model": registry.complete("proposal", reference), **filled}


def _was_given(config: RunConfig, key: str) -> bool:
    return key in config.model_fields_set and getattr(config, key) is not None


def _complete(registry: Registry, kind: str, reference: Any, *, needed: bool) -> dict[str, Any] | None:
    try:
        return registry.complete(kind, reference)
    except (UnknownComponentError, PluginError):
        # Only a default may be missing; what the user named is an error.
        if needed or reference["name"] != DEFAULT_NAMES.get(kind):
            raise
        return None
