"""Which components exist: what plugins declare, how they are found, checked and built.

A plugin is an entry point of the group ``tbg.plugins`` that names a light module with hook implementations::

    from tbg_core.registry import ComponentSpec, hookimpl

    @hookimpl
    def tbg_components():
        return [ComponentSpec(kind="energy", name="mine", ...)]

Nothing here imports torch; a component's module is imported when the component is built.
"""

from __future__ import annotations

from tbg_core.registry.hooks import CommandSpec, ReportSection, RunEvent, hookimpl
from tbg_core.registry.loader import PluginRecord, PluginWarning
from tbg_core.registry.registry import Registry, get_registry, reset_registry
from tbg_core.registry.spec import API_VERSION, DEFAULT, ComponentSpec

__all__ = [
    "API_VERSION",
    "DEFAULT",
    "CommandSpec",
    "ComponentSpec",
    "PluginRecord",
    "PluginWarning",
    "Registry",
    "ReportSection",
    "RunEvent",
    "get_registry",
    "hookimpl",
    "reset_registry",
]
