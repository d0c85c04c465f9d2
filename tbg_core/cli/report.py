"""``tbg report``: the page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli.application import make_app
from tbg_core.cli.outcome import print_outcome
from tbg_core.cli.request import check_run
from tbg_core.errors import ConfigError

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg report runs/gf

  tbg report --out runs/gf       the same"""


@app.command(epilog=EXAMPLES)
def report(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The folder of a run, as for the other verbs."),
    ] = None,
) -> None:
    """Write report.html of a run: one file, readable without a network."""
    if (run is None) == (out is None):
        raise ConfigError("tbg report takes the folder of one run.", fix="Write e.g. `tbg report runs/gf`.")
    folder = check_run(run or out or Path())
    from tbg_core.report.build import build_report

    build_report(folder)
    print_outcome(folder)
