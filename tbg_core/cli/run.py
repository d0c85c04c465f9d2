"""``tbg run``: the main job."""

from __future__ import annotations

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.outcome import print_outcome
from tbg_core.cli.progress import make_progress
from tbg_core.cli.request import check_inputs, make_request, recorded

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg run --model egnn --energy openmm                 alanine dipeptide with the model that ships

  tbg run --system GF -n 1000 --seed 3 --out runs/gf   a dipeptide by its sequence

  tbg run --system ACE-NME --from-scratch              simulate, train, then sample

  tbg run --system mine.pdb --checkpoint runs/t/checkpoint -s integrator.rtol=1e-6

  tbg run --config study.yaml --resume                 go on after an interruption

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
    """From nothing to a reweighted equilibrium ensemble with error bars and a report.

    Draws samples from a model with their exact density, weights them by the energy, and writes a folder that
    can be completed with --resume if the job is interrupted.
    """
    workers = prepare_machine(threads=threads, max_memory=max_memory, device=device)
    if checkpoint is not None:
        check_inputs([checkpoint], "--checkpoint")
    needs = ["system", "model", "energy", "sampler", *(("objective", "dynamics") if from_scratch else ())]
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
        needs=needs,
        trust_forcefield=trust_forcefield,
        checkpoint=checkpoint,
    )
    if resume and not from_scratch:
        # `tbg run --out DIR --resume` is enough to go on, however the run was begun.
        from_scratch = bool(recorded(folder, "from_scratch"))
    from tbg_core.pipeline.run import run as run_pipeline

    run_pipeline(
        resolved,
        folder,
        checkpoint=checkpoint,
        from_scratch=from_scratch,
        resume=resume,
        device=device,
        workers=workers,
        progress=make_progress(quiet=quiet),
    )
    print_outcome(folder)
