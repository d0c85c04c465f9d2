"""Output folders: begun once, resumed only with the same settings."""

from __future__ import annotations

import os
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tbg_core.errors import StorageError
from tbg_core.storage.atomic import read_json, sweep, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG, PROVENANCE = "config.yaml", "provenance.json"


def open_folder(out: Path, content: dict[str, Any], *, resume: bool, growing: Mapping[str, int] | None = None) -> None:
    """Prepares ``out`` for a job described by ``content`` (written as config.yaml).

    Args:
        out: The folder; created if need be.
        content: Everything that the results depend on, as plain data.
        resume: Go on with a job that was begun there.
        growing: Dotted keys of numbers that may be raised in a job begun earlier, with the unit that what is there
            must be a multiple of.

    Raises:
        StorageError: If the folder holds something else, another job's settings, or cannot be written.
    """
    config = out / CONFIG
    if config.is_file():
        if not resume:
            raise StorageError(
                f"{out} holds an earlier job.", fix="Add --resume to complete it, or choose another --out."
            )
        try:
            earlier = yaml.safe_load(config.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise StorageError(f"{config} is damaged: {error}.") from error
        earlier = _with_later_settings(earlier, content)
        changed = _differences(earlier, content)
        grown = {path for path, unit in (growing or {}).items() if _may_grow(*changed.get(path, (0, 0)), unit)}
        lines = [f"{path}: was {was!r}, now {now!r}" for path, (was, now) in changed.items() if path not in grown]
        if lines:
            raise StorageError(
                f"{out} was begun with other settings ({'; '.join(lines[:3])}).",
                fix="Resume with the same settings, or choose another --out.",
            )
        if grown & changed.keys():
            write_text(config, yaml.safe_dump(content, sort_keys=False))
        sweep(out)
        return
    if out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
        raise StorageError(f"{out} is not empty and holds no tbg job.", fix="Choose another --out folder.")
    write_text(config, yaml.safe_dump(content, sort_keys=False))


def write_provenance(out: Path, **entries: Any) -> None:
    """Adds entries to provenance.json: versions and machine on the first call, then whatever stages report."""
    write_json(out / PROVENANCE, {**(read_provenance(out) or _environment()), **entries})


def read_provenance(out: Path) -> dict[str, Any]:
    """Content of provenance.json; empty where there is none yet."""
    path = out / PROVENANCE
    return dict(read_json(path)) if path.is_file() else {}


def target_difference(have: Mapping[str, Any], want: Mapping[str, Any]) -> str | None:
    """The first thing that two targets say differently of themselves.

    What only one of them says does not count, nor do versions and platforms.
    """
    for key in sorted(have.keys() & want.keys()):
        if have[key] != want[key] and not key.startswith("platform") and not key.endswith("version"):
            return key
    return None


def _environment() -> dict[str, Any]:
    packages = ("tbg-core", "torch", "numpy")
    return {
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(["tbg", *sys.argv[1:]]) if Path(sys.argv[0]).name == "tbg" else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "versions": {name: _version(name) for name in packages},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _with_later_settings(earlier: Any, content: dict[str, Any]) -> Any:
    """What a job was begun with, with the defaults of settings that did not exist then: those change nothing."""
    from tbg_core.config.run_config import RunConfig

    if not isinstance(earlier, dict):
        return earlier
    defaults = RunConfig().model_dump(mode="json")
    return {
        key: {**defaults[key], **value}
        if key in {"training", "sampling", "simulation"} & content.keys() and isinstance(value, dict)
        else value
        for key, value in earlier.items()
    }


def _differences(earlier: Any, now: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted path -> what was there and what is, for everything that differs."""
    if isinstance(earlier, dict) and isinstance(now, dict):
        return {
            inner: pair
            for key in sorted(earlier.keys() | now.keys())
            for inner, pair in _differences(
                earlier.get(key), now.get(key), f"{path}.{key}" if path else str(key)
            ).items()
        }
    return {} if earlier == now else {path: (earlier, now)}


def _may_grow(was: Any, now: Any, unit: int) -> bool:
    return isinstance(was, int) and isinstance(now, int) and now > was and was % unit == 0
