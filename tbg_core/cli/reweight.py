"""``tbg reweight``: the same draws under another energy or temperature."""

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

  tbg reweight runs/gf --temperature 330 --out runs/gf-330K

  tbg reweight runs/gf -s energy.preset=amber99sbildn-obc-300K --out runs/b

  tbg reweight runs/ala --energy ase --out runs/ala-gfn2      GFN2-xTB

  tbg reweight runs/ala --energy ase -s energy.solvent=water --out runs/ala-w

The draws and their log q stay as they are, and the temperature unless --temperature is given; only energies are
computed. Where the two energies differ much, few of the draws matter: look at the effective sample size. Training
goes on with simulations in the new energy by tbg simulate --energy and tbg train --checkpoint."""


@app.command(epilog=EXAMPLES)
def reweight(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)],
    energy: o.Energy = None,
    temperature: o.Temperature = None,
    trust_forcefield: o.TrustForcefield = False,
    override: o.Set = None,
    out: o.ReweightedOut = None,
    resume: o.Resume = False,
    threads: o.Threads = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Weight the samples of a run for another energy or temperature, without drawing them again."""
    prepare_machine(threads=threads, max_memory=max_memory)
    from tbg_core import api

    ensemble = api.reweight(
        run,
        energy=energy,
        temperature_K=temperature,
        trust_forcefield=trust_forcefield,
        options=override,
        out=out,
        resume=resume,
        progress=make_progress(quiet=quiet),
    )
    print_outcome(ensemble.folder)
