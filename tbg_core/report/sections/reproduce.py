"""How to have the same numbers again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tbg_core.report.blocks import Block, Code, Paragraph, Section
from tbg_core.report.comparison.settings import flattened

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData


def build(run: RunData) -> Section:
    """Commands, Python and the resolved configuration, to copy."""
    name = shlex.quote(run.folder.name)
    blocks: list[Block] = []
    if command := run.provenance.get("command"):
        blocks += [Paragraph("The command that was given:"), Code(str(command))]
    if verb := _verb(run):
        blocks += [
            Paragraph(
                "The same from the resolved configuration, which spells out every default; then both side by side:"
            ),
            Code(f"{verb} --config {name}/config.yaml --out again\ntbg report {name} again"),
        ]
    blocks += [
        Paragraph("This page again, and the ensemble in Python:"),
        Code(f"tbg report {name}"),
        Code(
            "from tbg_core import Ensemble\n\n"
            f"ensemble = Ensemble.load({run.folder.name!r})\n"
            "ensemble.positions, ensemble.log_weights  # one row per attempted sample"
        ),
    ]
    if run.config:
        blocks.append(Code(run.config, summary="Resolved configuration (config.yaml)"))
    return Section("reproduce", "How to reproduce", tuple(blocks), order=1200)


def _verb(run: RunData) -> str:
    """The verb that makes a run like this one, with what it needs beside the configuration; else ``""``."""
    settings = flattened(run.config)
    if not settings or "reweighted_from" in settings:  # which the command above tells
        return ""
    if settings.get("from_scratch") == "true":
        return "tbg run --from-scratch"
    checkpoint = run.provenance.get("checkpoint")
    given = "--checkpoint" in str(run.provenance.get("command"))
    option = f" --checkpoint {shlex.quote(str(checkpoint))}" if checkpoint else ""
    if "from_scratch" in settings:
        return f"tbg run{option if given else ''}"
    return f"tbg sample{option}" if checkpoint else ""
