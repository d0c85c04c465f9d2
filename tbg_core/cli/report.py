"""``tbg report``: the page about a run, or about several side by side."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.estimate import Observables, Unit
from tbg_core.cli.outcome import print_outcome
from tbg_core.errors import ConfigError

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg report runs/gf

  tbg report runs/gf --reference data/gf         beside molecular dynamics

  tbg report runs/gf -O rg -O distance:1:C,3:N   [b]FILE.py:NAME[/b]: yours

  tbg report runs/gf --unit kcal/mol --open

  tbg report runs/gf runs/gf-rk4                 one page that compares them"""


@app.command(epilog=EXAMPLES)
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN...", help="The folder of a run; several are compared.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The folder of a run, as for the other verbs."),
    ] = None,
    reference: o.Reference = None,
    observable: Observables = None,
    unit: Unit = None,
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="Where a comparison goes; left out: beside the first run."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
) -> None:
    """Write report.html of a run: one file, readable without a network. Of several runs: a page that compares them."""
    folders = [*(runs or []), *([out] if out else [])]
    if not folders:
        raise ConfigError("tbg report takes the folder of a run.", fix="Write e.g. `tbg report runs/gf`.")
    if page is not None and len(folders) == 1:
        raise ConfigError("--page is for comparisons.", fix="The report of one run is report.html in its folder.")
    from tbg_core import api

    path = api.report(*folders, reference=reference, observables=observable or (), units=unit or (), page=page)
    if len(folders) == 1:
        print_outcome(path.parent)
    else:
        for folder in folders:
            typer.echo(_line(folder))
        typer.echo(f"report  {path}")
    if show:
        webbrowser.open(path.resolve().as_uri())


def _line(folder: Path) -> str:
    """One run of a comparison, as far as its metrics are there."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return f"{folder}: {metrics.get('verdict', 'no metrics')}"
