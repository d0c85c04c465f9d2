"""``tbg report``: the page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.outcome import print_outcome
from tbg_core.errors import ConfigError

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg report runs/gf

  tbg report --out runs/gf                       the same

  tbg report runs/gf --reference data/gf         beside molecular dynamics"""


@app.command(epilog=EXAMPLES)
def report(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The folder of a run, as for the other verbs."),
    ] = None,
    reference: o.Reference = None,
) -> None:
    """Write report.html of a run: one file, readable without a network."""
    if (run is None) == (out is None):
        raise ConfigError("tbg report takes the folder of one run.", fix="Write e.g. `tbg report runs/gf`.")
    from tbg_core import api

    print_outcome(api.report(run or out or Path(), reference=reference).parent)
