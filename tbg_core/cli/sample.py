"""``tbg sample``: weighted samples of a trained model, without a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress
from tbg_core.cli.request import check_inputs, make_request

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg sample --checkpoint runs/train-nma/checkpoint --system ACE-NME -n 2000 --out runs/nma

  tbg sample --checkpoint runs/t/checkpoint --system GF --integrator rk4 -s integrator.steps=40

  tbg report runs/nma                                        figures and verdict"""

Trained = Annotated[
    Path,
    typer.Option("--checkpoint", metavar="DIR", help="The trained model.", rich_help_panel=o.CHOICE),
]


@app.command(epilog=EXAMPLES)
def sample(
    checkpoint: Trained,
    system: o.System = None,
    model: o.Model = None,
    energy: o.Energy = None,
    prior: o.Prior = None,
    integrator: o.Integrator = None,
    likelihood: o.Likelihood = None,
    sampler: o.Sampler = None,
    temperature: o.Temperature = None,
    trust_forcefield: o.TrustForcefield = False,
    config: o.Config = None,
    override: o.Set = None,
    num_samples: o.NumSamples = None,
    seed: o.Seed = None,
    out: o.Out = None,
    resume: o.Resume = False,
    device: o.Device = "auto",
    threads: o.Threads = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Draw samples with their exact density, and weight them by the energy."""
    workers = prepare_machine(threads=threads, max_memory=max_memory, device=device)
    check_inputs([checkpoint], "--checkpoint")
    resolved, folder = make_request(
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
        out=out,
        resume=resume,
        needs=["system", "model", "energy", "sampler"],
        trust_forcefield=trust_forcefield,
        checkpoint=checkpoint,
    )
    from tbg_core.pipeline.sample import sample as sample_pipeline

    sample_pipeline(
        resolved,
        checkpoint,
        folder,
        resume=resume,
        device=device,
        workers=workers,
        progress=make_progress(quiet=quiet),
    )
    typer.echo(f"samples  {folder}")
