"""``tbg plugins``: what is installed, and what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from tbg_core.cli.application import make_app
from tbg_core.cli.options import AsJson

if TYPE_CHECKING:
    from tbg_core.registry import PluginRecord

app = make_app("List the plugins, and what is wrong with them.", group=True)

EXAMPLES = """[b]Examples[/b]

  tbg plugins list

  TBG_DISABLE_PLUGINS=openmm tbg plugins list    skip a plugin (* skips all, as --no-plugins does)

  TBG_STRICT_PLUGINS=1 tbg plugins list          stop at the first broken one"""


@app.command("list", epilog=EXAMPLES)
def list_plugins(as_json: AsJson = False) -> None:
    """List the plugins with their state."""
    from tbg_core.registry import get_registry

    records = get_registry().plugins
    if as_json:
        typer.echo(json.dumps([describe(r) for r in records], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("plugin", "distribution", "version", "state", "components", box=None, header_style="bold")
    for record in records:
        names = ", ".join(f"{kind} {name}" for kind, name in record.components)
        table.add_row(record.name, record.distribution, record.version, record.status, names)
    console = Console(highlight=False)
    console.print(table)
    for record in records:
        for problem in record.problems:
            console.print(f"{record.title}: {problem}", markup=False, soft_wrap=True)


def describe(record: PluginRecord) -> dict[str, Any]:
    """A plugin as ``tbg plugins list --json`` gives it."""
    return {
        "name": record.name,
        "module": record.module,
        "distribution": record.distribution,
        "version": record.version,
        "status": record.status,
        "problems": list(record.problems),
        "components": [{"kind": kind, "name": name} for kind, name in record.components],
    }
