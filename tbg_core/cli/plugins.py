"""``tbg plugins``: what is installed, what is wrong with it, and how to make another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tbg_core.cli.application import make_app
from tbg_core.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tbg_core.registry import PluginRecord, Registry
    from tbg_core.registry.checking import Finding

app = make_app("List the plugins, check them, make a new one.", group=True)

LIST_EXAMPLES = """[b]Examples[/b]

  tbg plugins list

  TBG_DISABLE_PLUGINS=openmm tbg plugins list    without openmm

  TBG_STRICT_PLUGINS=1 tbg plugins list          stop at the first broken one"""

CHECK_EXAMPLES = """[b]Examples[/b]

  tbg plugins check toys                 a plugin, and all its components

  tbg plugins check field/mlp            one component

  tbg plugins check mine --tracebacks    where in the code each failure arose

  tbg plugins check mine --no-tests      what needs no tbg-core[[testing]]"""

DOCTOR_EXAMPLES = """[b]Examples[/b]

  tbg plugins doctor

  tbg plugins doctor mine --tracebacks"""

NEW_EXAMPLES = """[b]Examples[/b]

  tbg plugins new my-field --kind field             writes a working plugin

  tbg plugins new my-energy --kind energy --out ~/code"""

Tracebacks = Annotated[bool, typer.Option("--tracebacks", "-t", help="Show where in the code each failure arose.")]


@app.command("list", epilog=LIST_EXAMPLES)
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
    if any(record.problems for record in records):
        console.print("See `tbg plugins doctor` for what to do.")


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


@app.command("check", epilog=CHECK_EXAMPLES)
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin, or KIND/NAME of a component.")],
    no_tests: Annotated[bool, typer.Option("--no-tests", help="Do not run the conformance tests.")] = False,
    only: Annotated[
        str, typer.Option("--only", "-k", metavar="WORD", help="Conformance tests with this in their name.")
    ] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what passed, too.")] = False,
    tracebacks: Tracebacks = False,
    as_json: AsJson = False,
) -> None:
    """Check a plugin or a component against its contract; exit code 1 if something fails."""
    from tbg_core.registry import get_registry
    from tbg_core.registry.checking import BAD, Finding, check_description, check_imports, recorded

    registry = get_registry()
    record, components = _chosen(registry, name)
    findings = list(recorded(record))
    if record.loaded:
        findings.append(check_imports(registry, record.name))
    found = no_tests or not only
    for kind, component in components:
        spec = registry.spec(kind, component)
        own = list(check_description(registry, spec))
        findings += own
        if not no_tests and all(f.state != BAD for f in own):
            from tbg_core.cli.conformance import check_conformance

            tests = list(check_conformance(registry, spec, only))
            findings += tests
            found = found or bool(tests)
    if not found:
        findings.append(
            Finding(record.name, "conformance", BAD, f"no test has {only!r} in its name", "See -v for names.")
        )
    bad = sum(f.state == BAD for f in findings)
    _show(findings, as_json=as_json, verbose=verbose, tracebacks=tracebacks)
    if not as_json:
        typer.echo(
            f"{bad} of {len(findings)} checks failed." + ("" if tracebacks else " Add --tracebacks to see where.")
            if bad
            else f"All {len(findings)} checks passed{' (conformance tests were not run)' if no_tests else ''}."
        )
    raise typer.Exit(1 if bad else 0)


@app.command("doctor", epilog=DOCTOR_EXAMPLES)
def doctor(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A plugin; all if left out.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what is well, too.")] = False,
    tracebacks: Tracebacks = False,
    as_json: AsJson = False,
) -> None:
    """Find out what is wrong with the plugins, importing every component; exit code 1 if something is broken."""
    from tbg_core.registry import get_registry
    from tbg_core.registry.checking import BAD, check_description, recorded

    registry = get_registry()
    registry.commands()  # records commands that clash
    records = registry.plugins if name is None else [_chosen(registry, name)[0]]
    findings: list[Finding] = []
    for record in records:
        findings += recorded(record)
        for kind, component in record.components:
            described = check_description(registry, registry.spec(kind, component))
            findings += [f for f in described if f.check in {"options", "defaults", "class"}]
    bad = sum(f.state == BAD for f in findings)
    _show(findings, as_json=as_json, verbose=verbose, tracebacks=tracebacks)
    if not as_json:
        hint = "" if tracebacks else " Add --tracebacks to see where."
        typer.echo(f"{bad} problems.{hint}" if bad else "All plugins can be used.")
    raise typer.Exit(1 if bad else 0)


@app.command("new", epilog=NEW_EXAMPLES)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the plugin and its component, e.g. my-field.")],
    kind: Annotated[str, typer.Option("--kind", "-k", metavar="KIND", help="Kind of the component, e.g. field.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the folder NAME is made.")] = Path(),
) -> None:
    """Write a new plugin: a working component with its options, tests and installation."""
    from tbg_core.scaffold.new_plugin import new_plugin, next_steps

    folder = new_plugin(name, kind, out)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        typer.echo(f"  {path}")
    typer.echo(next_steps(name, kind, folder))


def _chosen(registry: Registry, name: str) -> tuple[PluginRecord, Sequence[tuple[str, str]]]:
    """The plugin that a name means, with the components to look at."""
    from tbg_core.errors import PluginError
    from tbg_core.registry.naming import did_you_mean, same_distribution

    kind, slash, component = name.partition("/")
    if slash:
        return registry.provider(kind, component), [(kind, component)]
    for record in registry.plugins:
        if record.name == name or same_distribution(record.distribution, name):
            if record.disabled:
                raise PluginError(f"{record.title} is switched off.", fix="Unset TBG_DISABLE_PLUGINS.")
            return record, record.components
    named = [s for s in registry.specs() if s.name == name]
    if named:
        return registry.provider(named[0].kind, name), [(s.kind, name) for s in named]
    known = [r.name for r in registry.plugins]
    raise PluginError(
        f"no plugin is called {name!r}.{did_you_mean(name, known)}",
        fix=f"Installed: {', '.join(known)}. One made just now is installed by `pip install -e FOLDER`.",
    )


def _show(findings: list[Finding], *, as_json: bool, verbose: bool, tracebacks: bool) -> None:
    if as_json:
        typer.echo(json.dumps(list(_plain(findings, tracebacks=tracebacks)), indent=2))
        return
    from tbg_core.cli.findings import print_findings

    print_findings(findings, verbose=verbose, tracebacks=tracebacks)


def _plain(findings: list[Finding], *, tracebacks: bool) -> Iterator[dict[str, str]]:
    for finding in findings:
        row = finding._asdict()
        if not tracebacks:
            row.pop("traceback")
        yield row
