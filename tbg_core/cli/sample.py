"""``tbg sample``: weighted samples of a trained model, without a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.outcome import print_outcome
from tbg_core.cli.progress import make_progress

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg sample --checkpoint runs/t/checkpoint --system ACE-NME --out runs/nma

  tbg sample --checkpoint runs/t/checkpoint --system GF --integrator rk4

  tbg report runs/nma    figures and verdict"""

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
    reference: o.Reference = None,
    trust_forcefield: o.TrustForcefield = False,
    config: o.Config = None,
    override: o.Set = None,
    num_samples: o.NumSamples = None,
    seed: o.Seed = None,
    out: o.Out = None,
    resume: o.Resume = False,
    device: o.Device = "auto",
    threads: o.Threads = None,
    executor: o.Executor = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Draw samples with their exact density, and weight them by the energy."""
    cores = prepare_machine(threads=threads, max_memory=max_memory, device=device)
    from tbg_core import api

    ensemble = api.sample(
        checkpoint,
        system=system,
        model=model,
        energy=energy,
        prior=prior,
        integrator=integrator,
        likelihood=likelihood,
        sampler=sampler,
        temperature_K=temperature,
        num_samples=num_samples,
        seed=seed,
        reference=reference,
        trust_forcefield=trust_forcefield,
        config=config,
        options=override,
        out=out,
        resume=resume,
        device=device,
        threads=cores,
        executor=executor,
        progress=make_progress(quiet=quiet),
    )
    print_outcome(ensemble.folder)
