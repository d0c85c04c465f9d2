"""Writes a plugin that works: one component of a kind, its options, its tests and its installation."""

from __future__ import annotations

import keyword
import re
import sys
from importlib import metadata
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from tbg_core.errors import ConfigError, StorageError
from tbg_core.registry.naming import FIRST_PARTY_DISTRIBUTIONS, did_you_mean
from tbg_core.scaffold.kinds import EXAMPLES
from tbg_core.storage.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME: Final = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
_COMMON: Final = "common"


def new_plugin(name: str, kind: str, out: Path) -> Path:
    """Makes the folder ``out/name`` with a plugin whose one component is called ``name``.

    Args:
        name: Lower case words joined by hyphens; also the name of the distribution.
        kind: Kind of the component.
        out: Folder to make it in.

    Returns:
        The new folder.

    Raises:
        ConfigError: If the name cannot be used or there is no such kind.
        StorageError: If the folder exists or cannot be written.
    """
    values = template_values(name, kind)
    folder = out.expanduser() / name
    if folder.exists():
        raise StorageError(f"{folder} exists already.", fix="Choose another name, or another folder with --out.")
    for path, text in rendered(kind, values):
        write_text(folder / path, text)
    return folder


def template_values(name: str, kind: str) -> dict[str, str]:
    """What the templates are filled with.

    Raises:
        ConfigError: If the name cannot be used or there is no such kind.
    """
    if kind not in EXAMPLES:
        raise ConfigError(
            f"unknown kind {kind!r}.{did_you_mean(kind, EXAMPLES)}", fix=f"Kinds are {', '.join(EXAMPLES)}."
        )
    example = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "my-plugin"
    if not _NAME.match(name):
        raise ConfigError(
            f"{name!r} is no name for a plugin: lower case letters and digits, joined by single hyphens.",
            fix=f"For instance {example if _NAME.match(example) else 'my-' + kind}.",
        )
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package == "tbg":
        raise ConfigError(f"{name!r} is a name of Python or of tbg itself.", fix=f"For instance my-{name}.")
    from tbg_core.registry import get_registry

    registry = get_registry()
    if name in FIRST_PARTY_DISTRIBUTIONS or package.startswith("tbg_"):
        raise ConfigError(f"{name!r} is kept for plugins of this project.", fix="Leave out the tbg- in front.")
    if name in registry.names(kind):
        owner = registry.provider(kind, name).title
        raise ConfigError(f"there is a {kind} {name!r} already, of {owner}.", fix="Choose another name.")
    if name in {r.name for r in registry.plugins} or _installed(name):
        raise ConfigError(f"a package called {name!r} is installed already.", fix="Choose another name.")
    return {
        "name": name,
        "package": package,
        "kind": kind,
        "cls": "".join(word.capitalize() for word in name.split("-")),
        "title": name.replace("-", " ").capitalize(),
    }


def rendered(kind: str, values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Path within the folder and text of each file of a plugin."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - Python
    root = files("tbg_core.scaffold") / "templates"
    values = {**values, **EXAMPLES[kind]._asdict()}
    for folder in (root / _COMMON, root / kind):
        for path, source in _files(folder):
            target = path.removesuffix(".jinja").replace("PACKAGE", values["package"])
            yield target, environment.from_string(source).render(values)


def next_steps(name: str, kind: str, folder: Path) -> str:
    """What to do with a new plugin, as text to print."""
    key = {"field": "model", "proposal": "model"}.get(kind, kind)
    use = f"tbg components show {name}" if kind in {"dataset", "observable", "sde"} else _use(name, kind, key)
    return f"""
A working plugin is in {folder}. Next:

  pip install -e {folder}              what tbg needs is installed already: add --no-deps to install nothing else
  tbg plugins check {name:<16}      its description, its options and the conformance tests of a {kind}
  pytest {folder}
  {use}

Then change src/{name.replace("-", "_")}/component.py into what you need."""


def _use(name: str, kind: str, key: str) -> str:
    toy = "double-well" if kind != "energy" else "gaussian"
    if kind == "system":
        return f"tbg components show {name}"
    energy = "" if kind == "energy" else " --energy double-well"
    return f"tbg run --system {toy}{energy} -s {key}={name} --from-scratch --out runs/{name}"


def _files(folder: Any, inside: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _files(entry, f"{inside}{entry.name}/")
        elif entry.name != "__init__.py":
            yield f"{inside}{entry.name}", entry.read_text(encoding="utf-8")


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
