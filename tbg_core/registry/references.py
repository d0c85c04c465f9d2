"""References to components, as configs write them: a name, or a mapping with ``name`` and options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tbg_core.errors import ConfigError

Reference = str | Mapping[str, Any]

_NAME: Final = re.compile(r"^[a-z][a-z0-9-]*$")


def split(kind: str, reference: Reference) -> tuple[str, dict[str, Any]]:
    """The name and the options of a reference.

    Raises:
        ConfigError: If it is neither a name nor a mapping with one, or its name looks like an import path.
    """
    if isinstance(reference, str):
        return check_name(kind, reference), {}
    if not isinstance(reference, Mapping):
        raise ConfigError(
            f"{kind}: {reference!r} is not a component.",
            fix=f"Write `{kind}: NAME` or `{kind}: {{name: NAME, ...}}`.",
        )
    options = dict(reference)
    name = options.pop("name", None)
    if name is None:
        raise ConfigError(f"{kind}: the mapping has no `name`.", fix=f"Write `{kind}: {{name: NAME, ...}}`.")
    return check_name(kind, name), options


def text_and_options(kind: str, reference: Reference) -> tuple[str, dict[str, Any]]:
    """As :func:`split`, for a reference whose name may be any text: a source of systems decides what it means.

    Raises:
        ConfigError: If it is neither a text nor a mapping with one.
    """
    if not isinstance(reference, Mapping) or not isinstance(reference.get("name"), str):
        return split(kind, reference)
    options = dict(reference)
    return options.pop("name").strip(), options


def check_name(kind: str, name: object) -> str:
    """Refuses everything that is not a component's name, import paths above all.

    Raises:
        ConfigError: With what is allowed instead.
    """
    if isinstance(name, str) and _NAME.match(name):
        return name
    if isinstance(name, str) and (":" in name or "." in name):
        raise ConfigError(
            f"{kind}: {name!r} looks like an import path; a config can only name components.",
            fix=f"See `tbg components list --kind {kind}`.",
        )
    raise ConfigError(
        f"{kind}: {name!r} is no component name (lower case letters, digits, hyphens).",
        fix=f"See `tbg components list --kind {kind}`.",
    )
