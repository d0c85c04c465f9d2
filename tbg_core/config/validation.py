"""Turns pydantic's reports into one line that names the key and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tbg_core.errors import ConfigError
from tbg_core.registry.naming import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

_SHOWN = 3


def one_line(error: ValidationError, model: type[BaseModel], where: str) -> ConfigError:
    """A :class:`ConfigError` that says what is wrong with some options.

    Args:
        error: What pydantic found.
        model: The model that was validated; its fields are the allowed keys.
        where: What the options belong to, e.g. ``"integrator 'dopri5'"``.
    """
    found = error.errors(include_url=False)
    parts = [_part(item, model) for item in found[:_SHOWN]]
    more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
    unknown = [item for item in found if item["type"] == "extra_forbidden"]
    fix = ""
    if unknown:
        allowed = sorted(_fields_at(model, unknown[0]["loc"][:-1]))
        fix = f"Allowed: {', '.join(allowed) or 'no options'}."
    return ConfigError(f"{where}: {'; '.join(parts)}{more}.", fix=fix)


def _part(item: Any, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        hint = did_you_mean(str(item["loc"][-1]), _fields_at(model, item["loc"][:-1]))
        return f"unknown option {key!r}{hint and ' (' + hint.strip() + ')'}"
    if item["type"] == "missing":
        return f"option {key!r} is required"
    message = str(item["msg"]).removeprefix("Value error, ").rstrip(".")
    message = message[:1].lower() + message[1:] if message.startswith("Input") else message
    if not key:
        return message
    value = repr(item.get("input"))
    value = value if len(value) <= 40 else f"{value[:37]}..."
    return f"{key} = {value}: {message}"


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model nested at ``path``; those of ``model`` where it cannot be followed."""
    from pydantic import BaseModel as Base

    for part in path:
        annotation = model.model_fields[str(part)].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, Base)):
            break
        model = annotation
    return list(model.model_fields)
