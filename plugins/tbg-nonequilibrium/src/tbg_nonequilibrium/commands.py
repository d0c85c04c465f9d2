"""``tbg thermo``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg thermo --mixture 1,1 --out runs/thermo                two Gaussians at -1 and 1 of width 1, in closed form

  tbg thermo --mixture 1,0.316 --out runs/collapse          narrower: when it splits, and when it collapses

  tbg thermo runs/mixture --out runs/mixture-thermo         a trained diffusion model (tbg run --model diffusion)

  tbg thermo --mixture 4,1.5 --trajectories 1000 --steps 200 --json"""

PROCESS = "The process"


@app.command(epilog=EXAMPLES)
def thermo(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run of a diffusion model, or of its training.", show_default=False),
    ] = None,
    *,
    mixture: Annotated[
        str | None,
        typer.Option(
            "--mixture",
            metavar="MU,S",
            help="In closed form: half N(MU, S^2) and half N(-MU, S^2), instead of a run.",
            rich_help_panel=PROCESS,
        ),
    ] = None,
    trajectories: Annotated[
        int | None,
        typer.Option(
            min=100,
            metavar="N",
            help="Trajectories of each process.",
            show_default="10000; 1000 for a model",
            rich_help_panel=PROCESS,
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=2, help="Steps of a trajectory.", rich_help_panel=PROCESS)] = 1000,
    time: Annotated[
        float, typer.Option("--time", min=0.1, metavar="T", help="Time of the noise.", rich_help_panel=PROCESS)
    ] = 10.0,
    sde: Annotated[
        str,
        typer.Option(metavar="NAME", help="SDE integrator; `tbg components list --kind sde`.", rich_help_panel=PROCESS),
    ] = "stochastic-heun",
    seed: o.Seed = None,
    out: Annotated[Path | None, o.out_folder("RUN-thermo, runs/thermo", "report.html and thermo.json")] = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Nonequilibrium thermodynamics of a diffusion model.

    Entropy that trajectories from data to noise and back produce, the fluctuation theorems that it must obey (a test
    of the score), rates of production and flux, the potential that generation moves in, when its minimum splits
    (speciation), and the Franz-Parisi potential of its collapse on single data. For a run on a target, also what
    its samples are worth by the density of the flow and by the weights of paths.
    """
    prepare_machine(threads=1, max_memory=None)
    from tbg_core.storage.folders import check_folder
    from tbg_nonequilibrium.page import summary, write_page
    from tbg_nonequilibrium.processes import subject_of
    from tbg_nonequilibrium.study import STEPS, Plan, study

    subject = subject_of(run, mixture)
    folder = out or (Path("runs/thermo") if run is None else run.with_name(f"{run.name}-thermo"))
    check_folder(folder, resume=False)
    plan = Plan(trajectories or (10_000 if run is None else 1000), steps, time, seed or 0, sde)
    with make_progress(quiet=quiet).stage("thermo", total=STEPS, unit="steps") as bar:
        found = study(subject.process, plan, lambda note: bar.advance(1, note=note), subject.target, subject.data)
    numbers = write_page(found, folder)
    typer.echo(json.dumps(numbers, indent=2) if as_json else summary(found, folder))
