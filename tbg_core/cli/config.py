"""``tbg config``: complete and check configuration files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app

app = make_app("Complete a config file; list recipes; print the schema.", group=True)

RESOLVE_EXAMPLES = """[b]Examples[/b]

  tbg config resolve                                  every default

  tbg config resolve --config study.yaml -s seed=3    what `tbg run` would do

  tbg config resolve --model egnn --prior harmonic > study.yaml"""

RECIPES_EXAMPLES = """[b]Examples[/b]

  tbg config recipes                          what there is

  tbg config recipes tbg-2024                 what one sets, as a config file

  tbg config resolve --recipe tbg-2024        with all the rest

  tbg train --data DIR --recipe tbg-2024 -s training.steps=2000"""

SCHEMA_EXAMPLES = """[b]Example[/b]

  tbg config schema > tbg.schema.json

Editors check a YAML file against it after the line  # yaml-language-server: $schema=tbg.schema.json"""


@app.command("resolve", epilog=RESOLVE_EXAMPLES)
def resolve(
    recipe: o.Recipe = None,
    config: o.Config = None,
    override: o.Set = None,
    system: o.System = None,
    model: o.Model = None,
    energy: o.Energy = None,
    prior: o.Prior = None,
    integrator: o.Integrator = None,
    likelihood: o.Likelihood = None,
    sampler: o.Sampler = None,
    temperature: o.Temperature = None,
    trust_forcefield: o.TrustForcefield = False,
    num_samples: o.NumSamples = None,
    seed: o.Seed = None,
) -> None:
    """Print the complete configuration that a file, overrides and flags amount to."""
    from tbg_core.config.load import dump_config
    from tbg_core.config.request import resolve_request

    resolved = resolve_request(
        recipe=recipe,
        config=config,
        overrides=override,
        components={
            "system": system,
            "model": model,
            "energy": energy,
            "prior": prior,
            "integrator": integrator,
            "likelihood": likelihood,
            "sampler": sampler,
        },
        values={"temperature_K": temperature, "sampling.num_samples": num_samples, "seed": seed},
        trust_forcefield=trust_forcefield,
    )
    typer.echo(dump_config(resolved), nl=False)


@app.command("recipes", epilog=RECIPES_EXAMPLES)
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print what this one sets.")] = None,
    as_json: o.AsJson = False,
) -> None:
    """List the recipes: named settings that plugins ship, e.g. those of a paper."""
    from tbg_core.config.load import dump_plain
    from tbg_core.config.recipes import find_recipe, recipe_files

    found = [find_recipe(each) for each in (recipe_files() if name is None else [name])]
    if as_json:
        rows = [{"name": r.name, "summary": r.summary, "distribution": r.distribution} for r in found]
        settings = [{"settings": dict(r.settings)} if name else {} for r in found]
        typer.echo(json.dumps([{**row, **inner} for row, inner in zip(rows, settings, strict=True)], indent=2))
    elif name is not None:
        typer.echo(f"# {found[0].name}, from {found[0].distribution}: {found[0].summary}")
        typer.echo(dump_plain(found[0].settings), nl=False)
    else:
        width = max((len(r.name) for r in found), default=0)
        for r in found:
            typer.echo(f"{r.name:{width}}  {r.summary} ({r.distribution})")
        typer.echo("What one sets: tbg config recipes NAME" if found else "No installed plugin ships a recipe.")


@app.command("schema", epilog=SCHEMA_EXAMPLES)
def schema(
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it to a file.")] = None,
) -> None:
    """Print the JSON schema of a config file, with the options of every installed component."""
    from tbg_core.config.schema import json_schema
    from tbg_core.errors import StorageError

    text = json.dumps(json_schema(), indent=2)
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}.", fix="Choose another --out.") from None
