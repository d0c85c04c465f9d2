"""The hooks that a plugin may implement; all of them are optional."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tbg_core.config.run_config import RunConfig
    from tbg_core.ensemble import Ensemble
    from tbg_core.registry.spec import ComponentSpec

PROJECT: Final = "tbg"

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin module as the implementation of the hook of its name."""


@dataclass(frozen=True)
class CommandSpec:
    """A command that a plugin adds to ``tbg``, described without importing it.

    Attributes:
        name: What the user types after ``tbg``: one word, or several for a command in a group, as in
            ``"bench energy"``. Groups of several plugins that have the same name are one group.
        target: ``"module:app"``, a Typer application or a function; imported when the command is used. With
            ``""`` the name is that of a group, which ``summary`` describes.
        summary: One line for ``tbg --help``.
    """

    name: str
    target: str
    summary: str = ""


@dataclass(frozen=True)
class ReportSection:
    """A part of ``report.html``.

    Attributes:
        title: Heading, plain text.
        html: Body: an HTML fragment without scripts and without references to other files.
        order: Sections are shown by ascending order; the built-in ones use multiples of 100.
    """

    title: str
    html: str
    order: int = 1000


@dataclass(frozen=True)
class RunEvent:
    """What the run hooks are told.

    Attributes:
        verb: ``"run"``, ``"simulate"``, ``"sample"`` or ``"reweight"``; a simulation that is part of a run is told
            of by itself. The end is told of those that made an ensemble.
        folder: The run folder.
        config: The resolved configuration.
        metrics: What ``metrics.json`` holds; empty when the run starts.
    """

    verb: str
    folder: Path
    config: RunConfig
    metrics: dict[str, Any]


class Hooks:
    """Hook specifications. Implementations are module functions, without ``self``."""

    @hookspec
    def tbg_components(self) -> Iterable[ComponentSpec]:
        """The components of the plugin."""
        raise NotImplementedError

    @hookspec
    def tbg_commands(self) -> Iterable[CommandSpec | tuple[str, str] | tuple[str, str, str]]:
        """Commands to add to ``tbg``: (name, ``"module:app"``, summary); see :class:`CommandSpec`."""
        raise NotImplementedError

    @hookspec
    def tbg_report_sections(self, ensemble: Ensemble) -> Iterable[ReportSection]:
        """Sections to add to the report of ``ensemble``; none where the plugin has nothing to say."""
        raise NotImplementedError

    @hookspec
    def tbg_run_started(self, run: RunEvent) -> None:
        """Told when a run starts, or goes on after an interruption; its configuration and provenance are written."""

    @hookspec
    def tbg_run_finished(self, run: RunEvent) -> None:
        """Told when an ensemble was made, after its metrics were written and before its report."""
