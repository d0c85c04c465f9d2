"""Reads and writes configuration files: plain values in YAML or TOML, nothing that is executed."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import yaml

from tbg_core.config.run_config import RunConfig
from tbg_core.config.validation import one_line
from tbg_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# tomllib came with Python 3.11; tomli is the same parser for 3.10.
tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

_LARGEST: Final = 1_000_000
_TAG: Final = "tag:yaml.org,2002:"


def _refused(text: str, node: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, text, node.start_mark)


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars only, so that ``1e-5`` is a number and ``NO`` a text; no tags, aliases, duplicates."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused("anchors and aliases are not allowed in a config", event)
        if (tag := getattr(event, "tag", None)) is not None:
            shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
            raise _refused(f"the object tag {shown} is refused, a config holds only plain values", event)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused("a key must be a plain text", key_node)
            if key_node.value in seen:
                raise _refused(f"the key {key_node.value!r} appears twice", key_node)
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


class _Dumper(yaml.SafeDumper):
    """Writes every value in full: the loader refuses aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Line separators that are no newline would be read back as one, unless they are escaped.
        style = '"' if set(data) & set("\x85\u2028\u2029") else None
        return self.represent_scalar(_TAG + "str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)
_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    (
        "float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _first)
    # A text that would be read as one of these, such as 0E0, is written in quotes.
    _Dumper.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _first)


def parse_yaml(text: str, source: str) -> Any:
    """Plain values of a YAML text; ``source`` names it in messages.

    Raises:
        ConfigError: With the line, if it is no YAML, or holds tags, aliases or duplicate keys.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}, line {mark.line + 1}" if mark is not None else source
        what = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{where}: {what}.", fix="Write plain `key: value` pairs.") from None
    except (RecursionError, ValueError) as error:
        raise ConfigError(f"{source} cannot be read: {error}.", fix="Write plain `key: value` pairs.") from None


def read_mapping(path: Path) -> dict[str, Any]:
    """Top-level mapping of a YAML or TOML file (by its suffix).

    Raises:
        ConfigError: If it cannot be read or is no mapping.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is larger than 1 MB.", fix="Give a config file.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"cannot read the config {path}: {reason}.", fix="Check the path given to --config."
        ) from None
    if path.suffix.lower() == ".toml":
        try:
            return dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: {error}.", fix="Correct the TOML.") from None
    data = parse_yaml(text, str(path))
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no mapping at its top.", fix="Write `key: value` pairs, e.g. `model: egnn`.")
    return data


def make_config(data: Mapping[str, Any], source: str = "config") -> RunConfig:
    """A checked :class:`RunConfig`.

    Raises:
        ConfigError: In one line that names the key.
    """
    from pydantic import ValidationError

    try:
        return RunConfig.model_validate(dict(data))
    except ValidationError as error:
        raise one_line(error, RunConfig, source) from None


def load_config(path: Path, *, trust_forcefield: bool = False) -> RunConfig:
    """The configuration in a YAML or TOML file, with the recipe that it names.

    Args:
        path: The file.
        trust_forcefield: Accept a file that trusts force fields from elsewhere; they can hold code.

    Raises:
        ConfigError: If it cannot be read or is wrong.
    """
    from tbg_core.config.recipes import with_recipe

    data = with_recipe(read_mapping(path))
    if not trust_forcefield:
        refuse_trust(data, str(path))
    return make_config(data, str(path))


def refuse_trust(value: Any, source: str) -> None:
    """Refuses a file that grants itself trust: only the person at the keyboard can.

    Raises:
        ConfigError: If ``trust_forcefield`` is set anywhere in ``value``.
    """
    if isinstance(value, dict):
        if value.get("trust_forcefield"):
            raise ConfigError(
                f"{source} sets trust_forcefield, which a file cannot.",
                fix="Pass --trust-forcefield yourself if you trust its force fields: they can hold code.",
            )
        for inner in value.values():
            refuse_trust(inner, source)
    elif isinstance(value, list):
        for inner in value:
            refuse_trust(inner, source)


def dump_config(config: RunConfig) -> str:
    """YAML that :func:`load_config` reads back to an equal configuration."""
    return dump_plain(config.model_dump(mode="json"))


def dump_plain(data: Mapping[str, Any]) -> str:
    """YAML of plain values that :func:`parse_yaml` reads back."""
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
