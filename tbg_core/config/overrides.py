"""Layers over a config file: dotted overrides and flags."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from tbg_core.config.load import parse_yaml
from tbg_core.config.run_config import COMPONENT_KEYS, DEFAULT_NAMES, RunConfig
from tbg_core.errors import ConfigError
from tbg_core.registry.naming import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Override = str | tuple[str, Any]
"""``"integrator.rtol=1e-5"`` as typed, or the key and the value from Python."""


def parse_override(item: Override) -> tuple[tuple[str, ...], Any]:
    """Key and value of ``"integrator.rtol=1e-5"``, whose value is read as YAML, or of ``("integrator.rtol", 1e-5)``.

    Raises:
        ConfigError: If it has not that form.
    """
    key, equals, text = item.partition("=") if isinstance(item, str) else (str(item[0]), "=", "")
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        raise ConfigError(f"override {item!r} is not KEY=VALUE.", fix="Write e.g. `-s integrator.rtol=1e-5`.")
    if path[0] not in RunConfig.model_fields:
        raise ConfigError(
            f"override {item!r}: unknown key {path[0]!r}.{did_you_mean(path[0], RunConfig.model_fields)}",
            fix=f"Allowed: {', '.join(RunConfig.model_fields)}.",
        )
    return path, parse_yaml(text, f"override {item!r}") if isinstance(item, str) else item[1]


def apply_overrides(data: Mapping[str, Any], items: Iterable[Override]) -> dict[str, Any]:
    """A copy of ``data`` with dotted overrides applied.

    Choosing another component drops the options of the one it replaces, so choices are applied before
    options, whatever their order.

    Raises:
        ConfigError: If an override has not the form KEY=VALUE, or goes through a plain value.
    """
    result: dict[str, Any] = _copy(data)
    parsed = [(item, *parse_override(item)) for item in items]
    for item, path, value in sorted(parsed, key=lambda entry: not _is_choice(entry[1])):
        if _is_choice(path) and isinstance(value, str):
            choose(result, path[0], value)
        else:
            _set(result, path, _copy(value), item)
    return result


def choose(data: dict[str, Any], key: str, value: Any) -> None:
    """Sets component ``key``; keeps its options if the name stays the same (in place)."""
    current = _reference(data, key)
    if key == "system" or not isinstance(value, str):
        data[key] = _copy(value)
    elif key not in data or value not in _labels(current):
        data[key] = {"name": value}


def apply_flags(
    data: Mapping[str, Any],
    overrides: Iterable[Override],
    components: Mapping[str, Any],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    """File, then overrides, then flags; a flag that is None was not given.

    Args:
        data: Content of the config file.
        overrides: ``KEY=VALUE`` items, or pairs of key and value.
        components: Top-level key -> name or mapping, e.g. ``{"integrator": "heun"}``. The overrides'
            options apply to the component chosen by a flag.
        values: Dotted key -> value, e.g. ``{"sampling.num_samples": 512}``.
    """
    result = _copy(data)
    given = {key: value for key, value in components.items() if value is not None}
    for key, value in given.items():
        choose(result, key, value)
    options = [item for item in overrides if parse_override(item)[0] not in _choices(given)]
    result = apply_overrides(result, options)
    for key, value in values.items():
        if value is not None:
            _set(result, tuple(key.split(".")), value, key)
    return result


def parse_flag(key: str, text: Any) -> Any:
    """A component flag: a name, or an inline mapping such as ``{name: dopri5, rtol: 1e-6}``; a mapping as it is."""
    if isinstance(text, PurePath):
        return str(text)
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return text
    value = parse_yaml(text, f"--{key}")
    if not isinstance(value, dict):
        raise ConfigError(f"--{key} {text!r} is no mapping.", fix=f"Write --{key} '{{name: NAME, option: value}}'.")
    return value


def _choices(keys: Iterable[str]) -> set[tuple[str, ...]]:
    return {path for key in keys for path in ((key,), (key, "name"))}


def _is_choice(path: tuple[str, ...]) -> bool:
    return path[0] in {*COMPONENT_KEYS, "system"} and path[1:] in {(), ("name",)}


def _reference(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    current = data.get(key, DEFAULT_NAMES.get(key))
    if isinstance(current, dict):
        return {"name": DEFAULT_NAMES.get(key), **current}
    return {"name": current}


def _labels(reference: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the user may call a component: its name, and for a flow that of its field."""
    inner = reference.get("field")
    return (reference.get("name"), inner.get("name") if isinstance(inner, dict) else inner)


def _set(data: dict[str, Any], path: tuple[str, ...], value: Any, item: Override) -> None:
    node = data
    for depth, part in enumerate(path[:-1]):
        inner = node.get(part)
        if depth == 0 and part in COMPONENT_KEYS:
            inner = _reference(node, part)
        elif isinstance(inner, str):
            # A nested component that was given by its name alone.
            inner = {"name": inner}
        elif inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise ConfigError(f"override {item!r}: {part!r} is a plain value.", fix=f"Set `{part}` itself.")
        node[part] = inner
        node = inner
    node[path[-1]] = value


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
