"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from tbg_core.registry import CommandSpec, hookimpl


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """Sampling of transition paths."""
    return [CommandSpec("paths", "tbg_paths.commands:app", "Sample transition paths between two states.")]
