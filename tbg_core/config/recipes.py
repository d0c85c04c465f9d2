"""Recipes: named fragments of configuration that plugins ship, under all that the user gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tbg_core.config.load import make_config, read_mapping, refuse_trust
from tbg_core.config.run_config import COMPONENT_KEYS
from tbg_core.errors import ConfigError, PluginError
from tbg_core.registry.naming import did_you_mean
from tbg_core.registry.registry import get_registry
from tbg_core.registry.shipped import shipped_entries

if TYPE_CHECKING:
    from tbg_core.registry.registry import Registry

_NAME: Final = re.compile(r"^[a-z0-9][a-z0-9+.-]*$")
_SUMMARY: Final = "summary"


@dataclass(frozen=True)
class Recipe:
    """A fragment of configuration with a name.

    Attributes:
        name: What ``--recipe`` and the key ``recipe`` call it: the name of its file without ``.yaml``.
        summary: One line for listings.
        settings: What it sets: keys of a config file.
        distribution: The package that ships it.
    """

    name: str
    summary: str
    settings: Mapping[str, Any]
    distribution: str


def recipe_files(registry: Registry | None = None) -> dict[str, dict[Path, str]]:
    """Name -> files of that name with the distributions that ship them; nothing is read. Sorted by name.

    A folder that cannot be found is left out; ``tbg doctor`` says so.
    """
    registry = registry or get_registry()
    found: dict[str, dict[Path, str]] = {}
    for spec in registry.specs():
        for path in shipped_recipes(spec.recipes):
            found.setdefault(path.stem, {})[path] = registry.provider(spec.kind, spec.name).distribution
    return dict(sorted(found.items()))


def shipped_recipes(package: str) -> list[Path]:
    """Files of the recipes in a package's folder, ``"package.folder"``; none for an empty name."""
    try:
        entries = shipped_entries(package)
    except ImportError:
        return []
    return [path for path in entries if path.suffix == ".yaml" and _NAME.match(path.stem)]


def find_recipe(name: str, registry: Registry | None = None) -> Recipe:
    """The recipe of a name.

    Raises:
        ConfigError: If nobody ships it; lists what there is.
        PluginError: If two packages ship it, or it cannot be used.
    """
    found = recipe_files(registry)
    if name not in found:
        known = f"There are {', '.join(found)}." if found else "No installed plugin ships one."
        raise ConfigError(f"unknown recipe {name!r}.{did_you_mean(name, list(found))}", fix=known)
    if len(found[name]) > 1:
        owners = " and ".join(sorted(found[name].values()))
        raise PluginError(f"recipe {name!r} is shipped by {owners}.", fix="Uninstall one of them.")
    ((path, distribution),) = found[name].items()
    return read_recipe(path, distribution)


def read_recipe(path: Path, distribution: str) -> Recipe:
    """The recipe in a file.

    Raises:
        PluginError: If it is no mapping of keys of a config file with a summary, sets what only a user can, or names
            another recipe.
    """
    where = f"recipe {path.stem!r} of {distribution}"
    try:
        settings = read_mapping(path)
        summary = settings.pop(_SUMMARY, None)
        refuse_trust(settings, where)
        make_config(settings, where)
    except ConfigError as error:
        raise PluginError(f"{where} cannot be used: {error.message}", fix="Update or repair its package.") from error
    if not isinstance(summary, str) or "recipe" in settings:
        what = "has no `summary`" if "recipe" not in settings else "names another recipe"
        raise PluginError(f"{where} cannot be used: it {what}.", fix="Update or repair its package.")
    return Recipe(path.stem, " ".join(summary.split()), settings, distribution)


def with_recipe(layer: Mapping[str, Any], registry: Registry | None = None) -> dict[str, Any]:
    """A config file's content with the recipe that it names under it; the key ``recipe`` stays, as a label.

    Raises:
        ConfigError: If there is no such recipe.
        PluginError: If it cannot be used.
    """
    name = layer.get("recipe")
    if name is None:
        return dict(layer)
    if not isinstance(name, str):
        raise ConfigError(f"recipe = {name!r} is no name.", fix="Write `recipe: NAME`.")
    return lay_over(find_recipe(name, registry).settings, layer)


def lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration ``above`` over ``below``: settings key by key, components with their options while they stay."""
    result = _merged(below, {k: v for k, v in above.items() if k not in COMPONENT_KEYS})
    for key, value in above.items():
        if key in COMPONENT_KEYS:
            result[key] = _component(below.get(key), value)
    return result


def _component(below: Any, above: Any) -> Any:
    """A reference over another one: its options are kept where the component is the same, and dropped where not."""
    if below is None or above is None:
        return above
    base, over = _reference(below), _reference(above)
    name = over.get("name", base["name"])
    inner = base.get("field")
    if name == base["name"]:
        return _merged(base, over)
    # A flow may be called by its field: egnn over {name: flow, field: egnn}, or the other way round.
    if inner is not None and name == _reference(inner)["name"]:
        return {**base, "field": _merged(_reference(inner), over)}
    if over.get("field") is not None and _reference(over["field"]).get("name") == base["name"]:
        return {**over, "field": _merged(base, _reference(over["field"]))}
    return above


def _reference(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {"name": value}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and ("name" in old or isinstance(value, Mapping)):
            result[key] = _component(old, value) if "name" in old else _merged(old, value)
        else:
            result[key] = value
    return result
