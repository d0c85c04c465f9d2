"""What the short forms of ``--model`` and ``--system`` mean."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from tbg_core.errors import ConfigError, TbgError, UnknownComponentError, UnsupportedSystemError
from tbg_core.registry.naming import FIRST_PARTY, did_you_mean
from tbg_core.registry.references import check_name, split, text_and_options

if TYPE_CHECKING:
    from tbg_core.registry.references import Reference
    from tbg_core.registry.registry import Registry

FLOW: Final = "flow"


def resolve_model(
    registry: Registry,
    reference: Reference,
    given: Mapping[str, Reference | None],
    defaults: Mapping[str, Reference | None],
) -> dict[str, Any]:
    """The proposal that a model reference means, with its slots filled as far as they are known.

    The name of a proposal means that proposal, and what is no option of its own but one of its field is given to that,
    so that ``model.width`` has one meaning however the flow is written; otherwise the name of a field means the flow
    with that field, and the options beside it are the field's.

    Args:
        registry: Where to look.
        reference: Name or mapping.
        given: Slot -> reference that the user asked for; one that the proposal lacks is an error.
        defaults: Slot -> reference used where neither the mapping nor ``given`` fills a slot.

    Returns:
        A reference for ``registry.build("proposal", ...)``.

    Raises:
        UnknownComponentError: If no proposal and no field has the name.
        ConfigError: If a slot is given that the proposal lacks.
    """
    name, options = split("model", reference)
    proposals, fields = registry.names("proposal"), registry.names("field")
    if name in proposals or ("proposal", name) in FIRST_PARTY:
        resolved = _given_to_field(registry, {"name": name, **options})
    elif name in fields or ("field", name) in FIRST_PARTY:
        registry.spec("field", name)
        resolved = {"name": FLOW, "field": {"name": name, **options}}
    else:
        broken = "".join(f" {r.title} was not loaded." for r in registry.plugins if r.status == "failed")
        raise UnknownComponentError(
            f"unknown model {name!r}.{did_you_mean(name, [*proposals, *fields])}",
            fix=f"Proposals: {', '.join(proposals)}; fields: {', '.join(fields) or 'none'}.{broken}",
        )
    slots = registry.spec("proposal", resolved["name"]).slots
    for slot, inner in given.items():
        if inner is None:
            continue
        if slot not in slots:
            raise ConfigError(
                f"model {name!r} has no slot {slot!r}, but the {slot} {split(slot, inner)[0]!r} was given.",
                fix=f"Drop it; the slots of {resolved['name']} are {', '.join(slots) or 'none'}.",
            )
        resolved[slot] = inner
    for slot in slots:
        if resolved.get(slot) is None and defaults.get(slot) is not None:
            resolved[slot] = defaults[slot]
    return resolved


def _given_to_field(registry: Registry, resolved: dict[str, Any]) -> dict[str, Any]:
    """A proposal's reference in which options of its field stand in the field's own reference."""
    spec = registry.spec("proposal", resolved["name"])
    if "field" not in spec.slots or resolved.get("field") is None:
        return resolved
    own = {"name", *spec.slots, *registry.config_class("proposal", spec.name).model_fields}
    strange = resolved.keys() - own
    if not strange:
        return resolved
    name, options = split("model.field", resolved["field"])
    strange &= registry.config_class("field", name).model_fields.keys()
    kept = {key: value for key, value in resolved.items() if key not in strange}
    return {**kept, "field": {"name": name, **options, **{key: resolved[key] for key in strange}}}


def resolve_system(registry: Registry, reference: Reference) -> dict[str, Any]:
    """The system source, with options, that a text or a mapping means.

    A text is shown to every system source, which decides by its form alone whether it can read it. A mapping whose
    ``name`` is a source is taken as it is; else the name is such a text, and the rest are options of its source.

    Raises:
        UnsupportedSystemError: If no source reads the text; shows accepted forms and close matches.
        ConfigError: If several do; says how to choose one by a mapping.
    """
    if isinstance(reference, Mapping):
        name, options = text_and_options("system", reference)
        if name in registry.names("system"):
            return {"name": name, **options}
        return {**resolve_system(registry, name), **options}
    text = reference.strip()
    found: dict[str, dict[str, Any]] = {}
    broken: list[str] = []
    for spec in registry.specs("system"):
        try:
            options_read = registry.load(spec.target, f"system {spec.name!r}").parse(text)
        except TbgError as error:
            broken.append(str(error))
            continue
        if options_read is not None:
            found[spec.name] = dict(options_read)
    if not found and text in registry.names("system"):
        return {"name": text}
    if len(found) > 1:
        one = next(iter(found))
        raise ConfigError(
            f"system {text!r} can be read by {' and by '.join(found)}.",
            fix=f"Choose one in the config file by a mapping: system: {_flow_style(one, found[one])}.",
        )
    if not found:
        raise _unsupported(registry, text, broken)
    (name, options_found), *_ = found.items()
    return {"name": check_name("system", name), **options_found}


def _unsupported(registry: Registry, text: str, broken: list[str]) -> TbgError:
    examples: list[str] = []
    for spec in registry.specs("system"):
        try:
            source = registry.load(spec.target, f"system {spec.name!r}")
        except TbgError:
            continue
        # Sources may list what they read; those that do not are represented by their own name.
        examples.extend(getattr(source, "examples", ()) or (spec.name,))
    if broken:
        return UnsupportedSystemError(f"system {text!r} is not understood.", fix=f"A source failed: {broken[0]}")
    if not examples and any(record.disabled for record in registry.plugins):
        return UnsupportedSystemError(
            f"system {text!r} is not understood: the plugins that read systems are switched off.",
            fix="Drop --no-plugins and unset TBG_DISABLE_PLUGINS.",
        )
    if not examples:
        return UnsupportedSystemError(
            f"system {text!r} is not understood: no plugin that reads systems is installed.",
            fix="Run `pip install tbg-openmm`.",
        )
    if text.lower().endswith((".pdb", ".ent", ".cif")):
        return UnsupportedSystemError(f"system {text!r}: no such file can be read.", fix="Check the path.")
    close = get_close_matches(text.lower(), [e.lower() for e in examples], n=2, cutoff=0.6)
    hint = f" Did you mean {' or '.join(repr(e) for e in examples if e.lower() in close)}?" if close else ""
    return UnsupportedSystemError(
        f"system {text!r} is not understood.{hint}",
        fix=f"Give a name, a sequence, residue codes or a PDB file, e.g. {', '.join(examples[:8])}.",
    )


def _flow_style(name: str, options: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{k}: {v}" for k, v in {"name": name, **options}.items()) + "}"
