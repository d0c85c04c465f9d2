"""The registry: every component that working plugins provide, by kind and name."""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from tbg_core.contracts import KINDS
from tbg_core.errors import PluginError, TbgError, UnknownComponentError
from tbg_core.registry.commands import arrange, as_command
from tbg_core.registry.loader import (
    PluginRecord,
    PluginWarning,
    describe,
    is_disabled,
    load_plugins,
    problem,
)
from tbg_core.registry.naming import FIRST_PARTY, did_you_mean, same_distribution
from tbg_core.registry.spec import ComponentSpec

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    import pluggy

    from tbg_core.config.base import ComponentConfig
    from tbg_core.registry.hooks import CommandSpec
    from tbg_core.registry.references import Reference


class Registry:
    """Components by (kind, name), with the plugins they come from.

    Attributes:
        plugins: One record per plugin, the core's first.
    """

    def __init__(self, manager: pluggy.PluginManager, plugins: list[PluginRecord]) -> None:
        self._manager = manager
        self.plugins = plugins
        self._specs: dict[tuple[str, str], ComponentSpec] = {}
        self._providers: dict[tuple[str, str], PluginRecord] = {}
        self._refused: dict[tuple[str, str], str] = {}
        for record in plugins:
            if record.loaded:
                self._collect(record)

    @property
    def failures(self) -> list[PluginRecord]:
        """Plugins that failed, wholly or in part."""
        return [r for r in self.plugins if r.problems]

    def specs(self, kind: str | None = None) -> list[ComponentSpec]:
        """All components, or those of one kind, in the order of the kinds and then by name.

        Raises:
            UnknownComponentError: If there is no such kind.
        """
        if kind is not None and kind not in KINDS:
            raise UnknownComponentError(
                f"unknown kind {kind!r}.{did_you_mean(kind, KINDS)}", fix=f"Kinds are {', '.join(KINDS)}."
            )
        order = list(KINDS)
        chosen = (s for s in self._specs.values() if kind in (None, s.kind))
        return sorted(chosen, key=lambda s: (order.index(s.kind), s.name))

    def names(self, kind: str) -> list[str]:
        """Names of the components of a kind, sorted."""
        return [s.name for s in self.specs(kind)]

    def provider(self, kind: str, name: str) -> PluginRecord:
        """The plugin that provides a component."""
        self.spec(kind, name)
        return self._providers[kind, name]

    def spec(self, kind: str, name: str) -> ComponentSpec:
        """The component of that kind and name.

        Raises:
            PluginError: If it is known, but two plugins claim it or its plugin does not work.
            UnknownComponentError: If nobody provides it; names close matches or how to install it.
        """
        found = self._specs.get((kind, name))
        if found is not None:
            return found
        if (kind, name) in self._refused:
            raise PluginError(self._refused[kind, name], fix="See `tbg plugins list`.")
        names = self.names(kind)
        if owner := FIRST_PARTY.get((kind, name)):
            raise self._missing(kind, name, owner)
        elsewhere = [s.kind for s in self.specs() if s.name == name]
        hint = f" There is a {elsewhere[0]} of that name." if elsewhere else did_you_mean(name, names)
        broken = "".join(f" {r.title} was not loaded." for r in self.plugins if r.status == "failed")
        known = f"Known: {', '.join(names)}." if names else f"No {kind} is installed."
        raise UnknownComponentError(f"unknown {kind} {name!r}.{hint}", fix=f"{known}{broken}")

    # The methods below import on use: they need pydantic, which listing components does not.

    def config_class(self, kind: str, name: str) -> type[ComponentConfig]:
        """The pydantic model of a component's options; imports no torch."""
        from tbg_core.registry.construction import config_class

        return config_class(self, kind, name)

    def validated(self, kind: str, name: str, options: Mapping[str, Any]) -> ComponentConfig:
        """The options of a component as its model.

        Raises:
            ConfigError: If an option is unknown or has a bad value, in one line.
        """
        from tbg_core.registry.construction import validated

        return validated(self, kind, name, options)

    def complete(self, kind: str, reference: Reference) -> dict[str, Any]:
        """The reference as a mapping with every option of the component and of its slots written out.

        Raises:
            ConfigError: If an option is unknown or has a bad value, in one line.
        """
        from tbg_core.registry.construction import complete

        return complete(self, kind, reference)

    def build(self, kind: str, reference: Reference, **slots: Any) -> Any:
        """Makes a component: ``Class(config, **slots)``.

        Args:
            kind: Kind of the component.
            reference: Its name, or a mapping with ``name``, options and, for its slots, further references.
            **slots: For a slot, a component already built or a reference to one; overrides the mapping.

        Raises:
            UnknownComponentError: If nobody provides it.
            ConfigError: If an option or a slot is unknown, missing or has a bad value.
            PluginError: If its module cannot be imported.
        """
        from tbg_core.registry.construction import build

        return build(self, kind, reference, slots)

    def resolve_model(
        self,
        reference: Reference,
        given: Mapping[str, Reference | None] | None = None,
        defaults: Mapping[str, Reference | None] | None = None,
    ) -> dict[str, Any]:
        """What ``--model`` means; see :func:`tbg_core.registry.resolution.resolve_model`."""
        from tbg_core.registry.resolution import resolve_model

        return resolve_model(self, reference, given or {}, defaults or {})

    def resolve_system(self, reference: Reference) -> dict[str, Any]:
        """What ``--system`` means; see :func:`tbg_core.registry.resolution.resolve_system`."""
        from tbg_core.registry.resolution import resolve_system

        return resolve_system(self, reference)

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """Calls a hook of every plugin; the results, flattened one level.

        A plugin that raises is recorded and warned about, and the others are still called. An expected
        error (:class:`TbgError`) is treated the same way: no hook may end a run.
        """
        return [result for _, result in self.call_by_plugin(hook, **arguments)]

    def call_by_plugin(self, hook: str, **arguments: Any) -> list[tuple[PluginRecord, Any]]:
        """As :meth:`call`, each result with the plugin that gave it."""
        results: list[tuple[PluginRecord, Any]] = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            record = next(r for r in self.plugins if r.name == implementation.plugin_name)
            try:
                given = implementation.function(*(arguments[a] for a in implementation.argnames))
                results.extend((record, result) for result in given or ())
            except Exception as error:  # noqa: BLE001 - see above
                self._complain(record, f"{hook} failed: {describe(error)}", error)
        return results

    def commands(self, reserved: Container[str] = ()) -> list[CommandSpec]:
        """Commands of plugins, sorted by name; one that is malformed or taken is recorded and left out.

        Args:
            reserved: First words that are not for plugins.
        """
        given = []
        for record, item in self.call_by_plugin("tbg_commands"):
            try:
                given.append((record, as_command(item)))
            except PluginError as error:
                self._complain(record, str(error), error)
        found = []
        for record, result in arrange(given, reserved):
            if isinstance(result, str):
                self._complain(record, result)
            else:
                found.append(result)
        return sorted(found, key=lambda command: command.name)

    @staticmethod
    def _complain(record: PluginRecord, text: str, cause: BaseException | None = None) -> None:
        """Records a problem found after loading, once, and warns of it."""
        if " ".join(text.split()) not in record.problems:
            problem(record, text, cause)
            warnings.warn(record.warning(), PluginWarning, stacklevel=3)

    def _collect(self, record: PluginRecord) -> None:
        for implementation in self._manager.hook.tbg_components.get_hookimpls():
            if implementation.plugin_name != record.name:
                continue
            try:
                specs: list[object] = list(cast("Any", implementation.function()))
            except Exception as error:  # noqa: BLE001 - any failure of a stranger's module is recorded
                problem(record, f"tbg_components failed: {describe(error)}", error)
                continue
            for spec in specs:
                self._add(record, spec)

    def _add(self, record: PluginRecord, spec: object) -> None:
        if not isinstance(spec, ComponentSpec):
            problem(record, f"tbg_components gave a {type(spec).__name__}, not a ComponentSpec.")
            return
        key = (spec.kind, spec.name)
        try:
            spec.validate()
        except Exception as error:  # noqa: BLE001 - attributes of the wrong type raise anything
            self._refused.setdefault(key, str(error))
            problem(record, str(error), error)
            return
        owner = FIRST_PARTY.get(key)
        if owner is not None and not same_distribution(owner, record.distribution):
            problem(record, f"{spec.kind} {spec.name!r} is a name reserved for {owner}.")
            return
        if key in self._providers:
            first = self._providers[key]
            text = f"{spec.kind} {spec.name!r} is provided by {first.title} and by {record.title}."
            # Neither is used: which of them was meant is not for the order of installation to say.
            self._specs.pop(key, None)
            first.components = [c for c in first.components if c != key]
            self._refused[key] = text
            problem(record, text)
            return
        self._refused.pop(key, None)
        self._specs[key] = spec
        self._providers[key] = record
        record.components.append(key)

    def _missing(self, kind: str, name: str, owner: str) -> TbgError:
        what = f"{kind} {name!r} is provided by {owner}"
        for record in self.failures:
            if same_distribution(record.distribution, owner):
                return PluginError(f"{what}, which does not work: {record.problems[0]}", fix="See `tbg doctor`.")
        if is_disabled(self.plugins, owner):
            return PluginError(
                f"{what}, which is switched off.", fix="Drop --no-plugins and unset TBG_DISABLE_PLUGINS."
            )
        return UnknownComponentError(f"{what}, which is not installed.", fix=f"Run `pip install {owner}`.")

    @staticmethod
    def load(target: str, where: str) -> Any:
        """Imports the object that ``"module:name"`` names.

        Raises:
            PluginError: If the module or the name cannot be imported; ``where`` says what needed it.
        """
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except TbgError:
            raise
        except Exception as error:
            raise PluginError(
                f"{where} cannot be imported: {describe(error)}.",
                fix="Reinstall its plugin; see `tbg doctor`.",
            ) from error


@lru_cache(maxsize=1)
def get_registry() -> Registry:
    """The registry of this process, made on first use; warns once about each plugin that does not work."""
    registry = Registry(*load_plugins())
    for record in registry.failures:
        warnings.warn(record.warning(), PluginWarning, stacklevel=2)
    return registry


def reset_registry() -> None:
    """Forgets the registry, so that the next use looks for plugins again."""
    get_registry.cache_clear()
