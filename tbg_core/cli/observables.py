"""``tbg observables``: what can be asked of a system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli.application import make_app
from tbg_core.cli.options import AsJson

app = make_app("List what can be estimated.", group=True)

EXAMPLES = """[b]Examples[/b]

  tbg observables list --system GF

  tbg observables list runs/gf              of the system of a run

  tbg observables list --system double-well --json

Use one with [b]tbg estimate RUN --observable NAME[/b]."""


@app.command("list", epilog=EXAMPLES)
def list_observables(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)] = None,
    system: Annotated[
        str | None, typer.Option("--system", metavar="SYSTEM", help="A system, as for [b]tbg run[/b].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the observables of a system by name, with units and atoms, and the forms that take atoms."""
    from tbg_core.errors import ConfigError

    if (run is None) == (system is None):
        raise ConfigError("tbg observables list takes a run or a system.", fix="Write e.g. `--system ACE-ALA-NME`.")
    from tbg_core.loading import load_system
    from tbg_core.molecule.molecule import Molecule
    from tbg_core.observables import available, forms, parse_observable

    if run is None:
        of = load_system(str(system))
    else:
        from tbg_core.ensemble.files import recorded_system

        of = recorded_system(run)
    found = [parse_observable(name, of) for name in available(of)]
    rows = [
        {
            "name": x.name,
            "unit": x.unit,
            "period": x.period,
            "atoms": list(x.atoms),
            "model_error": x.model_error,
            "source": x.source,
        }
        for x in found
    ]
    if as_json:
        typer.echo(json.dumps({"system": of.name, "observables": rows, "forms": list(forms(of))}, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("observable", "unit", "atoms", "remarks", box=None, header_style="bold")
    for x in found:
        atoms = [f"{of.residue_index[i] + 1}:{of.atom_names[i]}" for i in x.atoms] if isinstance(of, Molecule) else []
        remarks = f"+- {x.model_error:g} {x.unit}: {x.source}" if x.model_error else ""
        few = " ".join(atoms) if len(atoms) <= 4 else f"{len(atoms)} atoms"
        table.add_row(f"[bold]{escape(x.name)}[/bold]", x.unit, few, escape(remarks))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print("\nand, with what you put in:", markup=False)
    for form in (*forms(of), "FILE.py:NAME"):
        console.print(f"  {form}", markup=False)
