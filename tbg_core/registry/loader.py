"""Finds plugins and keeps a broken one from breaking the rest.

pluggy's own loader lets the first bad entry point end the program; here every plugin is loaded by itself, and
what goes wrong with it is written into its record.
"""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import pluggy

from tbg_core.errors import PluginError
from tbg_core.registry import core_plugin
from tbg_core.registry.hooks import PROJECT, Hooks
from tbg_core.registry.naming import CORE, same_distribution

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP: Final = "tbg.plugins"
DISABLE: Final = "TBG_DISABLE_PLUGINS"
STRICT: Final = "TBG_STRICT_PLUGINS"
EVERY_PLUGIN: Final = "*"


class PluginWarning(UserWarning):
    """A plugin that does not work, or works in part."""


@dataclass
class PluginRecord:
    """What became of one plugin.

    Attributes:
        name: Name of its entry point.
        module: What the entry point names.
        distribution: Distribution that declares it.
        version: Version of the distribution.
        loaded: True if its module was imported and its hooks are called.
        disabled: True if it was skipped before import.
        problems: What is wrong with it, one line each.
        tracebacks: Where each problem arose, ``""`` where it was no exception.
        components: (kind, name) of the components it provides.
    """

    name: str
    module: str
    distribution: str
    version: str
    loaded: bool = False
    disabled: bool = False
    problems: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    components: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """``"disabled"``, ``"failed"``, ``"degraded"`` (loaded, but parts refused) or ``"ok"``."""
        if self.disabled:
            return "disabled"
        if not self.loaded:
            return "failed"
        return "degraded" if self.problems else "ok"

    @property
    def title(self) -> str:
        """How messages call it, e.g. ``plugin egnn (tbg-egnn 0.1.0)``."""
        return f"plugin {self.name} ({self.distribution} {self.version})"

    def warning(self) -> str:
        """One line about all its problems."""
        more = f" (and {len(self.problems) - 1} more, see `tbg plugins list`)" if len(self.problems) > 1 else ""
        state = "is only partly usable" if self.loaded else "was not loaded"
        return f"{self.title} {state}: {self.problems[0]}{more}"


def is_strict() -> bool:
    """True if ``TBG_STRICT_PLUGINS`` asks for problems to be raised."""
    return os.environ.get(STRICT, "").lower() not in {"", "0", "false", "no"}


def disabled_names() -> frozenset[str]:
    """Names listed in ``TBG_DISABLE_PLUGINS``; ``*`` stands for every plugin."""
    return frozenset(n.strip() for n in os.environ.get(DISABLE, "").split(",") if n.strip())


def load_plugins() -> tuple[pluggy.PluginManager, list[PluginRecord]]:
    """Registers the core's components and every installed plugin.

    Returns:
        The manager, in which each plugin bears the name of its record, and the records, core first and the
        others by name.

    Raises:
        PluginError: On the first broken plugin, under ``TBG_STRICT_PLUGINS=1`` only.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    core = PluginRecord("core", core_plugin.__name__, CORE, _version(CORE))
    manager.register(core_plugin, name=core.name)
    core.loaded = True
    records = [core]
    disabled = disabled_names()
    for entry in sorted(_entry_points(), key=lambda e: (e.name, e.value)):
        record = _record(entry)
        records.append(record)
        if disabled & {EVERY_PLUGIN, record.name, record.distribution}:
            record.disabled = True
            continue
        twin = next((r for r in records[:-1] if r.name == record.name and not r.disabled), None)
        if twin is not None:
            problem(record, f"{twin.title} has the same name; uninstall or disable one of the two.")
            continue
        _load(manager, entry, record)
    return manager, records


def problem(record: PluginRecord, text: str, cause: BaseException | None = None) -> None:
    """Records what is wrong with a plugin.

    Raises:
        PluginError: Instead of recording, under ``TBG_STRICT_PLUGINS=1``.
    """
    line = " ".join(text.split())
    record.problems.append(line)
    record.tracebacks.append("" if cause is None else "".join(traceback.format_exception(cause)))
    if is_strict():
        raise PluginError(
            f"{record.title}: {line}", fix=f"Fix or uninstall it, or set {DISABLE}={record.name}."
        ) from cause


def describe(error: BaseException) -> str:
    """One line that says what an exception is."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _entry_points() -> Iterable[metadata.EntryPoint]:
    # A distribution found twice on the path (an editable install seen through two folders) counts once.
    unique = {(e.name, e.value, e.dist.name if e.dist else ""): e for e in metadata.entry_points(group=GROUP)}
    return unique.values()


def _record(entry: metadata.EntryPoint) -> PluginRecord:
    name, version = "unknown", "0"
    # The metadata of a half-removed distribution may lack either; that must not hide the others.
    with suppress(Exception):
        if entry.dist is not None:
            name, version = entry.dist.name or name, entry.dist.version or version
    return PluginRecord(entry.name, entry.value, name, version)


def _load(manager: pluggy.PluginManager, entry: metadata.EntryPoint, record: PluginRecord) -> None:
    try:
        module: Any = entry.load()
        manager.register(module, name=record.name)
        _refuse_unknown_hooks(manager, module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any failure of a stranger's module is recorded
        with suppress(Exception):
            manager.unregister(name=record.name)
        problem(record, describe(error), error)
        return
    record.loaded = True


def _refuse_unknown_hooks(manager: pluggy.PluginManager, module: Any) -> None:
    known = {name for name in vars(Hooks) if name.startswith("tbg_")}
    callers = manager.get_hookcallers(module) or []
    if unknown := sorted({c.name for c in callers} - known):
        raise PluginError(
            f"it implements the unknown hook {unknown[0]!r}.", fix=f"Hooks are {', '.join(sorted(known))}."
        )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "0"  # run from a source tree that was not installed


def is_disabled(records: Iterable[PluginRecord], distribution: str) -> bool:
    """True if a plugin of ``distribution`` was skipped on request."""
    return any(r.disabled and same_distribution(r.distribution, distribution) for r in records)
