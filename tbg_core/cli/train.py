"""``tbg train``: a checkpoint from simulations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg train --data data/nma --model egnn --steps 4000 --out runs/train-nma

  tbg train --data data/gf --data data/ga -s training.batch_size=256

  tbg train --data dipeptides --model egnn --out runs/d    frames that ship

  tbg train --data dipeptides --recipe tbg-2024    as in a paper

  tbg train --data data/gf --checkpoint runs/t/checkpoint    fine-tune

  tbg train --data dipeptides --device cpu --devices 2    two processes

  tbg train --data data/nma --out runs/train-nma --resume    go on

The checkpoint is the folder [b]checkpoint[/b] in --out: give it to [b]tbg run --checkpoint[/b]."""

Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="A folder of [b]tbg simulate[/b] or [b]tbg datasets make[/b], or a dataset that ships (see "
        "[b]tbg datasets list[/b]); repeat for more systems.",
        rich_help_panel=o.CHOICE,
    ),
]
Objective = Annotated[
    str | None,
    typer.Option("--objective", metavar="NAME", help="The loss that is minimised.", rich_help_panel=o.CHOICE),
]
Steps = Annotated[
    int | None,
    typer.Option("--steps", min=1, metavar="N", help="Optimiser steps.", show_default="4000", rich_help_panel=o.STATE),
]

Devices = Annotated[
    int,
    typer.Option(
        "--devices",
        min=1,
        metavar="N",
        help="Share each batch among so many devices; on a CPU, processes.",
        rich_help_panel=o.MACHINE,
    ),
]
Start = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="DIR",
        help="Start from these weights; left out: from random ones.",
        rich_help_panel=o.CHOICE,
    ),
]


@app.command(epilog=EXAMPLES)
def train(
    data: Data = None,
    model: o.Model = None,
    prior: o.Prior = None,
    objective: Objective = None,
    checkpoint: Start = None,
    recipe: o.Recipe = None,
    config: o.Config = None,
    override: o.Set = None,
    steps: Steps = None,
    seed: o.Seed = None,
    out: o.TrainedOut = None,
    resume: o.Resume = False,
    device: o.Device = "auto",
    devices: Devices = 1,
    threads: o.Threads = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Train a model on simulated conformations."""
    cores = prepare_machine(threads=threads, max_memory=max_memory, device=device)
    from tbg_core import api

    trained = api.train(
        data or (),
        model=model,
        prior=prior,
        objective=objective,
        steps=steps,
        seed=seed,
        checkpoint=checkpoint,
        recipe=recipe,
        config=config,
        options=override,
        out=out,
        resume=resume,
        device=device,
        devices=devices,
        threads=cores,
        progress=make_progress(quiet=quiet),
    )
    typer.echo(f"checkpoint  {trained}")
