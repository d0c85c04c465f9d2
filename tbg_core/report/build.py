"""Making ``report.html``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from tbg_core.registry import get_registry
from tbg_core.report.blocks import Fragment, Section
from tbg_core.report.page import render
from tbg_core.report.run_data import load_run
from tbg_core.report.sections import BUILDERS, verdict
from tbg_core.storage.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.ensemble import Ensemble

REPORT = "report.html"


def build_report(
    run: Path,
    reference: Path | None = None,
    *,
    observables: Sequence[str] = (),
    units: Sequence[str] = (),
) -> Path:
    """Writes ``report.html`` into a run folder, from what the folder holds.

    Args:
        run: The run folder.
        reference: Folder of a simulation to compare with; see :func:`tbg_core.report.run_data.load_run`.
        observables: What to show beside the usual, as :func:`tbg_core.observables.load_observable` reads it.
        units: Units to show, e.g. ``["kcal/mol", "angstrom"]``.

    Returns:
        Path of the page: one file that refers to nothing outside itself.

    Raises:
        StorageError: If the folder holds no ensemble, or the page cannot be written.
        ConfigError: If an observable or a unit cannot be understood.
    """
    data = load_run(Path(run), reference, observables=observables, units=units)
    built = [section for build in BUILDERS if (section := build(data)) is not None]
    built += plugin_sections(data.ensemble)
    built.sort(key=lambda section: section.order)
    path = data.folder / REPORT
    write_text(path, render(verdict.build(data), built, str(data.provenance.get("created", ""))))
    return path


def plugin_sections(ensemble: Ensemble) -> list[Section]:
    """Sections that plugins contribute by the hook ``tbg_report_sections``; a failing plugin adds none."""
    return [
        Section(
            anchor="plugin-" + re.sub(r"[^a-z0-9]+", "-", given.title.lower()).strip("-"),
            title=given.title,
            blocks=(Fragment(Markup(given.html)),),  # noqa: S704 - plugins are code, their HTML is as trusted
            order=given.order,
        )
        for given in get_registry().call("tbg_report_sections", ensemble=ensemble)
    ]
