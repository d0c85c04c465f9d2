"""``tbg simulate``: training and reference data."""

from __future__ import annotations

from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress
from tbg_core.cli.request import make_request

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg simulate --system ACE-NME --walkers 4 --frames 2000 --out data/nma

  tbg simulate --system GF -s dynamics.frame_interval_ps=2 --out data/gf

  tbg simulate --system GF --out data/gf --resume      go on after an interruption"""

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
    out: o.Out = None,
    resume: o.Resume = False,
    threads: o.Threads = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Simulate a system by molecular dynamics, in blocks that survive an interruption."""
    workers = prepare_machine(threads=threads, max_memory=max_memory)
    resolved, folder = make_request(
        config=config,
        overrides=override,
        components={"system": system, "energy": energy, "dynamics": dynamics},
        values={
            "temperature_K": temperature,
            "simulation.walkers": walkers,
            "simulation.frames": frames,
            "seed": seed,
        },
        out=out,
        resume=resume,
        needs=["system", "energy", "dynamics"],
        trust_forcefield=trust_forcefield,
        folder="data",
    )
    from tbg_core.pipeline.simulate import simulate as simulate_pipeline

    simulate_pipeline(resolved, folder, resume=resume, workers=workers, progress=make_progress(quiet=quiet))
    typer.echo(f"frames  {folder}")
