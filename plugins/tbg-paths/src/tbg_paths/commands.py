"""``tbg paths``: transition paths between two states."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

PATHS = "Which paths, and how"

EXAMPLES = """[b]Examples[/b]

  tbg paths --system double-well --checkpoint runs/toy/training/checkpoint --from A --to B --out runs/paths

  tbg paths --system mueller-brown --checkpoint DIR --from "-0.558,1.442;0.25" --to "0.623,0.028;0.25" --frames 200

  tbg paths --system ACE-ALA-NME --model autoregressive --from B --to D --chains 32 --steps 300 --out runs/ala-paths

  tbg paths --system ACE-ALA-NME --checkpoint DIR --from "phi=-150+-30,psi=150+-30" --to "phi=50..90" --out runs/x

  tbg paths --out runs/paths --resume        complete it

[b]States[/b]: windows of observables (degrees, nm), "phi=-70+-30,psi=135+-30" or "x:0=-1.2..-0.7"; a ball of a toy,
"centre;radius"; or a name: A to F of ACE-ALA-NME, A and B of double-well and mueller-brown.

[b]Moves[/b]: latent (latent-all, latent-few, latent-gp, latent-shift: noise on every frame, some redrawn, smooth noise
along the path, shifted in time), shooting (one-way, two-way, shift). A comma makes sets of chains to compare, + joins
moves in one set. Latent moves take every frame through the model. Shooting needs it only to draw the first ends.

[b]How long[/b]: a path must hold what happens by itself. Where transitions fill the paths, the report says so: raise
--frames or lower --friction. The first lines of progress say how long the job takes."""

app = make_app()


def _option(flag: str, metavar: str, text: str, default: str | None = None) -> Any:
    return typer.Option(flag, metavar=metavar, help=text, show_default=default or False, rich_help_panel=PATHS)


@app.command(epilog=EXAMPLES)
def paths(
    *,
    system: o.System = None,
    model: o.Model = None,
    checkpoint: o.Checkpoint = None,
    energy: o.Energy = None,
    temperature: o.Temperature = None,
    start: Annotated[str | None, _option("--from", "STATE", "State A, where paths begin.")] = None,
    end: Annotated[str | None, _option("--to", "STATE", "State B, where paths end.")] = None,
    moves: Annotated[
        str | None, _option("--moves", "A,B", "Sets of moves to compare.", "latent,shooting; molecules shooting")
    ] = None,
    cv: Annotated[
        str | None, _option("--cv", "A,B", "Two observables that paths are shown in.", "phi,psi; x:0,x:1")
    ] = None,
    dynamics: Annotated[
        str | None,
        _option("--dynamics", "NAME", "overdamped, or langevin (with inertia).", "langevin for molecules"),
    ] = None,
    frames: Annotated[
        int | None, _option("--frames", "L", "Frames of a path; each step is one.", "100; molecules 1000")
    ] = None,
    timestep: Annotated[
        float | None, _option("--timestep", "H", "ps; for toys in units of time.", "0.005; molecules 0.001")
    ] = None,
    friction: Annotated[float | None, _option("--friction", "G", "1/ps.", "1; molecules 2")] = None,
    chains: Annotated[int | None, _option("--chains", "C", "Independent chains of each set.", "8")] = None,
    steps: Annotated[int | None, _option("--steps", "N", "Moves of each chain; may be raised.", "1000")] = None,
    burn_in: Annotated[int | None, _option("--burn-in", "N", "Moves before, which adapt steps.", "300")] = None,
    store_every: Annotated[int | None, _option("--store-every", "N", "Moves between stored paths.", "5")] = None,
    block: Annotated[int | None, _option("--block", "N", "Moves between points to resume from.", "100")] = None,
    draws: Annotated[int | None, _option("--draws", "N", "Draws among which first ends are found.", "512")] = None,
    committor_points: Annotated[
        int | None, _option("--committor-points", "N", "Frames whose committor is measured.", "64; molecules 16")
    ] = None,
    committor_shots: Annotated[
        int | None, _option("--committor-shots", "N", "Trajectories from each of them.", "16")
    ] = None,
    integrator: o.Integrator = None,
    likelihood: o.Likelihood = None,
    config: o.Config = None,
    override: o.Set = None,
    seed: o.Seed = None,
    out: o.Out = None,
    resume: o.Resume = False,
    as_json: o.AsJson = False,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Sample transition paths by moves in latent space, and by shooting beside them."""
    prepare_machine(threads=1, max_memory=max_memory)
    from tbg_paths.verb import find_paths, outcome

    given = {
        "start": start,
        "end": end,
        "moves": None if moves is None else tuple(part.strip() for part in moves.split(",")),
        "cvs": cv,
        "dynamics": dynamics,
        "frames": frames,
        "timestep": timestep,
        "friction": friction,
        "chains": chains,
        "steps": steps,
        "burn_in": burn_in,
        "store_every": store_every,
        "block": block,
        "draws": draws,
        "committor_points": committor_points,
        "committor_shots": committor_shots,
    }
    folder, metrics = find_paths(
        components={
            "system": system,
            "model": model,
            "energy": energy,
            "integrator": integrator,
            "likelihood": likelihood,
        },
        values={"temperature_K": temperature, "seed": seed},
        given={key: value for key, value in given.items() if value is not None},
        checkpoint=checkpoint,
        config=config,
        options=override,
        out=out,
        resume=resume,
        progress=make_progress(quiet=quiet),
    )
    for line in outcome(folder, metrics, as_json=as_json):
        typer.echo(line)
