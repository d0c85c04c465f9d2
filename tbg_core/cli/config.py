"""``tbg config``: complete and check configuration files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app

app = make_app("Complete a config file; print its schema.", group=True)

RESOLVE_EXAMPLES = """[b]Examples[/b]

  tbg config resolve                                  every default

  tbg config resolve --config study.yaml -s seed=3    what `tbg run` would do

  tbg config resolve --model egnn --prior harmonic > study.yaml"""

SCHEMA_EXAMPLES = """[b]Example[/b]

  tbg config schema > tbg.schema.json

Editors check a YAML file against it after the line  # yaml-language-server: $schema=tbg.schema.json"""


@app.command("resolve", epilog=RESOLVE_EXAMPLES)
def resolve(
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
