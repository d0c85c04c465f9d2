"""``tbg doctor``: is everything that a run needs here?"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import typer

from tbg_core.cli.application import make_app
from tbg_core.cli.machine import available_cores
from tbg_core.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Iterator

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg doctor

  tbg doctor --json      for bug reports"""

OK: Final = "ok"
NOTE: Final = "note"
BAD: Final = "bad"

_OLDEST = (3, 10)
_NEEDED = ("tbg-core", "torch", "numpy", "scipy", "pydantic", "pluggy", "typer", "rich", "safetensors")
_OPTIONAL = ("openmm", "mdtraj", "MDAnalysis")
_LITTLE_DISK = 2 * 10**9


class Finding(NamedTuple):
    """One line of the result; ``bad`` ones make the exit code 1."""

    state: str
    what: str
    found: str
    fix: str = ""


@app.command(epilog=EXAMPLES)
def doctor(as_json: AsJson = False) -> None:
    """Check versions, plugins, checkpoints, cores, disk, permissions; exit code 1 if something is broken."""
    findings = list(examine())
    bad = any(f.state == BAD for f in findings)
    if as_json:
        typer.echo(json.dumps([f._asdict() for f in findings], indent=2))
    else:
        _print(findings)
        typer.echo("Something is broken: see the lines marked bad." if bad else "Everything that a run needs is here.")
    raise typer.Exit(1 if bad else 0)


def examine() -> Iterator[Finding]:
    """All findings, in the order of the listing."""
    old = sys.version_info[:2] < _OLDEST
    yield Finding(BAD if old else OK, "python", platform.python_version(), "Use Python 3.10 or newer." if old else "")
    yield from _packages()
    yield _accelerator()
    yield from _plugins()
    yield from _checkpoints()
    yield from _recipes()
    yield Finding(OK, "cores", str(available_cores()))
    yield _disk()
    yield _writable()


def _packages() -> Iterator[Finding]:
    installed = {d.name.lower(): d.version for d in metadata.distributions() if d.name}
    for name in (*_NEEDED, *_OPTIONAL):
        if (version := installed.get(name.lower())) is not None:
            yield Finding(OK, name, version)
        else:
            needed = name in _NEEDED
            yield Finding(BAD if needed else NOTE, name, "not installed", f"pip install {name}" if needed else "")


def _accelerator() -> Finding:
    try:
        import torch

        if torch.cuda.is_available():
            return Finding(OK, "device", f"cuda: {torch.cuda.get_device_name(0)}")
        return Finding(OK, "device", "cpu (no GPU that torch can use)")
    except Exception as error:  # noqa: BLE001 - a broken torch raises anything, and that is the finding
        text = " ".join(str(error).split())
        return Finding(BAD, "device", f"torch cannot be imported: {text}", "Reinstall torch.")


def _plugins() -> Iterator[Finding]:
    from tbg_core.registry import get_registry

    for record in get_registry().plugins:
        what = f"plugin {record.name}"
        if record.disabled:
            yield Finding(NOTE, what, "switched off")
        elif record.problems:
            yield Finding(BAD, what, "; ".join(record.problems), f"Update or uninstall {record.distribution}.")
        else:
            yield Finding(OK, what, f"{record.distribution} {record.version}, {len(record.components)} components")


def _checkpoints() -> Iterator[Finding]:
    from tbg_core.registry import get_registry

    for spec in get_registry().specs():
        if not spec.checkpoints:
            continue
        what = f"checkpoints of {spec.name}"
        try:
            names = shipped_checkpoints(spec.checkpoints)
        except (ImportError, OSError) as error:
            yield Finding(BAD, what, f"cannot be read: {error}", "Reinstall the plugin.")
            continue
        if names:
            yield Finding(OK, what, ", ".join(names))
        else:
            yield Finding(NOTE, what, "none shipped", "Train one, or use --from-scratch.")


def _recipes() -> Iterator[Finding]:
    from tbg_core.config.recipes import find_recipe, recipe_files, shipped_recipes
    from tbg_core.errors import TbgError
    from tbg_core.registry import get_registry

    for spec in get_registry().specs():
        if spec.recipes and not shipped_recipes(spec.recipes):
            yield Finding(BAD, f"recipes of {spec.name}", f"none in {spec.recipes}", "Reinstall the plugin.")
    names = []
    for name in recipe_files():
        try:
            names.append(find_recipe(name).name)
        except TbgError as error:
            yield Finding(BAD, f"recipe {name}", error.message, error.fix)
    if names:
        yield Finding(OK, "recipes", ", ".join(names))


def shipped_checkpoints(package: str) -> list[str]:
    """Names of the checkpoint folders in a package."""
    from tbg_core.registry.shipped import shipped_entries

    return [entry.name for entry in shipped_entries(package) if (entry / "manifest.json").is_file()]


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    little = free < _LITTLE_DISK
    return Finding(NOTE if little else OK, "disk", f"{free / 1e9:.1f} GB free here", "Free some." if little else "")


def _writable() -> Finding:
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()):
            return Finding(OK, "this folder", "can be written")
    except OSError as error:
        return Finding(BAD, "this folder", f"cannot be written: {error.strerror}", "Use --out elsewhere.")


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("state", "what", "found", box=None, header_style="bold")
    colours: dict[str, Any] = {OK: "green", NOTE: "yellow", BAD: "red"}
    for f in findings:
        advice = f" {f.fix}" if f.fix else ""
        table.add_row(f"[{colours[f.state]}]{f.state}[/]", f.what, escape(f"{f.found}{'.' if advice else ''}{advice}"))
    Console(highlight=False).print(table)
