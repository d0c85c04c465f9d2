"""``tbg components``: what can be named in a config or by a flag."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tbg_core.cli.application import make_app
from tbg_core.cli.options import AsJson

if TYPE_CHECKING:
    from tbg_core.registry import ComponentSpec, Registry

app = make_app("List the components, show the options of one.", group=True)

LIST_EXAMPLES = """[b]Examples[/b]

  tbg components list

  tbg components list --kind integrator

  tbg components list --json"""

SHOW_EXAMPLES = """[b]Examples[/b]

  tbg components show dopri5

  tbg components show openmm --kind energy"""

Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only this kind, e.g. energy.")]


@app.command("list", epilog=LIST_EXAMPLES)
def list_components(kind: Kind = None, as_json: AsJson = False) -> None:
    """List the installed components by kind."""
    from tbg_core.registry import get_registry

    registry = get_registry()
    specs = registry.specs(kind)
    if as_json:
        typer.echo(json.dumps([describe(registry, s) for s in specs], indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    rows = [(s.kind, s.name, registry.provider(s.kind, s.name).distribution, s.maturity) for s in specs]
    titles = ("kind", "name", "from", "maturity")
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    console = Console(highlight=False)
    # One line each: what does not fit is on the page of the component.
    room = max(24, console.width - sum(widths) - 2 * len(widths) - 2)
    table = Table(*titles, "summary", box=None, header_style="bold", expand=False)
    previous = ""
    for spec, (kind_of, name, provider, maturity) in zip(specs, rows, strict=True):
        shown = kind_of if kind_of != previous else ""
        table.add_row(shown, f"[bold]{name}[/bold]", provider, maturity, escape(_shortened(spec.summary, room)))
        previous = kind_of
    console.print(table)
    console.print("Options of one, with types, defaults and units: tbg components show NAME", style="dim")


def _shortened(summary: str, room: int) -> str:
    text = summary.rstrip(".")
    return text if len(text) <= room else f"{text[: room - 1].rstrip()}…"


def describe(registry: Registry, spec: ComponentSpec) -> dict[str, Any]:
    """A component as ``tbg components list --json`` gives it."""
    from tbg_core.config.recipes import shipped_recipes

    provider = registry.provider(spec.kind, spec.name)
    return {
        "kind": spec.kind,
        "name": spec.name,
        "summary": spec.summary,
        "maturity": spec.maturity,
        "plugin": provider.name,
        "distribution": provider.distribution,
        "version": provider.version,
        "api_version": spec.api_version,
        "capabilities": sorted(spec.capabilities),
        "slots": dict(spec.slots),
        "checkpoints": bool(spec.checkpoints),
        "recipes": [path.stem for path in shipped_recipes(spec.recipes)],
        "citation": spec.citation,
    }


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a component.", show_default=False)],
    kind: Kind = None,
    as_json: AsJson = False,
) -> None:
    """Show a component's options with types, defaults and units."""
    from tbg_core.cli.component_page import print_page
    from tbg_core.errors import UnknownComponentError
    from tbg_core.registry import get_registry
    from tbg_core.registry.naming import FIRST_PARTY, did_you_mean

    registry = get_registry()
    kinds = [kind] if kind else [s.kind for s in registry.specs() if s.name == name]
    kinds = kinds or [k for k, n in FIRST_PARTY if n == name][:1]
    if not kinds:
        names = sorted({s.name for s in registry.specs()})
        raise UnknownComponentError(
            f"no component is called {name!r}.{did_you_mean(name, names)}", fix="See `tbg components list`."
        )
    specs = [registry.spec(k, name) for k in kinds]
    if as_json:
        pages = [
            {**describe(registry, s), "options": registry.config_class(s.kind, s.name).model_json_schema()}
            for s in specs
        ]
        typer.echo(json.dumps(pages, indent=2))
        return
    for spec in specs:
        print_page(registry, spec)
