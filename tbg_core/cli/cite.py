"""``tbg cite``: the papers behind a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tbg_core.cli.application import make_app
from tbg_core.cli.options import AsJson

if TYPE_CHECKING:
    from tbg_core.registry import ComponentSpec, Registry

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg cite runs/ala                     the papers behind a run

  tbg cite runs/ala --bibtex > tbg.bib  the same for LaTeX

  tbg cite --component egnn             those of one component

  tbg cite                              those of everything that is installed"""


@app.command(epilog=EXAMPLES)
def cite(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A folder that tbg made: run, simulation or checkpoint.")
    ] = None,
    component: Annotated[
        list[str] | None, typer.Option("--component", metavar="NAME", help="A component, instead of a run.")
    ] = None,
    bibtex: Annotated[bool, typer.Option("--bibtex", "-b", help="BibTeX only, to be written to a file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what to cite for a run: the papers that its components name, as text and as BibTeX."""
    from tbg_core.citations import SOFTWARE, bibliography, references
    from tbg_core.registry import get_registry

    specs = _specs(get_registry(), folder, component or [])
    papers = references(specs)
    if as_json:
        rows = [{"text": p.text, "for": list(p.used_for), "bibtex": p.bibtex()} for p in papers]
        typer.echo(json.dumps(rows, indent=2))
        return
    if bibtex:
        typer.echo(bibliography(papers), nl=False)
        return
    typer.echo(SOFTWARE)
    for paper in papers:
        typer.echo(f"{paper.text}\n    for {', '.join(paper.used_for)}")
    silent = [f"{s.kind} {s.name}" for s in specs if not s.citation]
    if silent and (folder is not None or component):
        typer.echo(f"No paper is named by {', '.join(silent)}.")
    typer.echo(f"\n{bibliography(papers)}", nl=False)


def _specs(registry: Registry, folder: Path | None, names: list[str]) -> list[ComponentSpec]:
    """The components to cite for."""
    from tbg_core.citations import components_of
    from tbg_core.errors import ConfigError, UnknownComponentError
    from tbg_core.registry.naming import did_you_mean

    if folder is not None and names:
        raise ConfigError("a run and --component were given.", fix="Give one of the two.")
    if folder is not None:
        return components_of(registry, _config(folder))
    if not names:
        return registry.specs()
    found = [s for name in names for s in registry.specs() if name in {s.name, f"{s.kind}/{s.name}"}]
    for name in names:
        if not any(name in {s.name, f"{s.kind}/{s.name}"} for s in found):
            raise UnknownComponentError(
                f"no component is called {name!r}.{did_you_mean(name, {s.name for s in registry.specs()})}",
                fix="See `tbg components list`.",
            )
    return found


def _config(folder: Path) -> dict[str, Any]:
    """The ``config.yaml`` of a folder; without what was not done in it.

    Raises:
        StorageError: If there is none, or it cannot be read.
    """
    import yaml

    from tbg_core.errors import StorageError

    path = folder / "config.yaml"
    if not path.is_file():
        raise StorageError(f"{folder} holds no config.yaml.", fix="Name a folder that tbg run, train or simulate made.")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise StorageError(f"{path} cannot be read: {error}.") from None
    if not isinstance(config, dict):
        raise StorageError(f"{path} is no configuration.")
    if config.get("from_scratch") is False:
        config = {key: value for key, value in config.items() if key != "dynamics"}
    return config
