"""``tbg run``: the main job."""

from __future__ import annotations

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.outcome import print_outcome
from tbg_core.cli.progress import make_progress

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg run --model egnn --energy openmm              alanine dipeptide

  tbg run -n 1000 --seed 3 --out runs/ala           more, another seed

  tbg run --system ACE-NME --from-scratch           simulate and train first

  tbg run --system GF --from-scratch --out runs/gf  a dipeptide

  tbg run --system mine.pdb --checkpoint my/model -s integrator.rtol=1e-6

  tbg run --config study.yaml --resume              go on

The folder holds config.yaml, metrics.json, weights.csv, samples.xtc and report.html."""


@app.command(epilog=EXAMPLES)
def run(
    system: o.System = None,
    model: o.Model = None,
    energy: o.Energy = None,
    prior: o.Prior = None,
    integrator: o.Integrator = None,
    likelihood: o.Likelihood = None,
    sampler: o.Sampler = None,
    temperature: o.Temperature = None,
    checkpoint: o.Checkpoint = None,
    from_scratch: o.FromScratch = False,
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
    """From nothing to a reweighted equilibrium ensemble with error bars and a report.

    Draws samples from a model with their exact density, weights them by the energy, and writes a folder that
    can be completed with --resume if the job is interrupted.
    """
    cores = prepare_machine(threads=threads, max_memory=max_memory, device=device)
    from tbg_core import api

    ensemble = api.run(
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
        checkpoint=checkpoint,
        from_scratch=from_scratch,
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
