"""``tbg simulate``: training and reference data."""

from __future__ import annotations

from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg simulate --system ACE-NME --walkers 4 --frames 2000 --out data/nma

  tbg simulate --system GF -s dynamics.frame_interval_ps=2 --out data/gf

  tbg simulate --system ACE-NME --energy ase --out data/x     in GFN2-xTB

  tbg simulate --system GF --out data/gf --resume    go on, or prolong"""

Dynamics = Annotated[
    str | None,
    typer.Option("--dynamics", metavar="NAME", help="The engine that simulates.", rich_help_panel=o.CHOICE),
]
Walkers = Annotated[
    int | None,
    typer.Option(
        "--walkers",
        min=1,
        metavar="N",
        help="Independent simulations.",
        show_default="4",
        rich_help_panel=o.STATE,
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(
        "--frames",
        min=1,
        metavar="N",
        help="Frames per walker.",
        show_default="1000",
        rich_help_panel=o.STATE,
    ),
]


@app.command(epilog=EXAMPLES)
def simulate(
    system: o.System = None,
    energy: o.Energy = None,
    dynamics: Dynamics = None,
    temperature: o.Temperature = None,
    trust_forcefield: o.TrustForcefield = False,
    config: o.Config = None,
    override: o.Set = None,
    walkers: Walkers = None,
    frames: Frames = None,
    seed: o.Seed = None,
    out: o.DataOut = None,
    resume: o.Resume = False,
    threads: o.Threads = None,
    executor: o.Executor = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Simulate a system by molecular dynamics, in blocks that survive an interruption."""
    cores = prepare_machine(threads=threads, max_memory=max_memory)
    from tbg_core import api

    folder = api.simulate(
        system=system,
        energy=energy,
        dynamics=dynamics,
        temperature_K=temperature,
        walkers=walkers,
        frames=frames,
        seed=seed,
        trust_forcefield=trust_forcefield,
        config=config,
        options=override,
        out=out,
        resume=resume,
        threads=cores,
        executor=executor,
        progress=make_progress(quiet=quiet),
    )
    typer.echo(f"frames  {folder}")
