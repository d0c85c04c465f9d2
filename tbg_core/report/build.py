"""Making ``report.html``."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tbg_core.registry import get_registry
from tbg_core.report.blocks import Fragment, Section
from tbg_core.report.run_data import load_run
from tbg_core.report.sections import BUILDERS, verdict
from tbg_core.storage.atomic import write_text

if TYPE_CHECKING:
    from tbg_core.ensemble import Ensemble
    from tbg_core.report.run_data import RunData

REPORT = "report.html"


def build_report(run: Path, reference: Path | None = None) -> Path:
    """Writes ``report.html`` into a run folder, from what the folder holds.

    Args:
        run: The run folder.
        reference: Folder of a simulation to compare with; see :func:`tbg_core.report.run_data.load_run`.

    Returns:
        Path of the page: one file that refers to nothing outside itself.

    Raises:
        StorageError: If the folder holds no ensemble, or the page cannot be written.
    """
    data = load_run(Path(run), reference)
    built = [section for build in BUILDERS if (section := build(data)) is not None]
    built += plugin_sections(data.ensemble)
    built.sort(key=lambda section: section.order)
    path = data.folder / REPORT
    write_text(path, render(data, built))
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


def render(run: RunData, sections: list[Section]) -> str:
    """The page. Everything but drawings and plugin fragments is escaped."""
    folder = files("tbg_core.report") / "templates"
    sources = {n: (folder / n).read_text(encoding="utf-8") for n in ("report.html.jinja", "report.css")}
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup(sources["report.css"])  # noqa: S704 - our own file
    head = verdict.build(run)
    created = str(run.provenance.get("created", ""))
    return environment.get_template("report.html.jinja").render(
        verdict=head, sections=sections, style=style, created=created
    )
