"""``tbg explore``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

app = make_app()

_PARTS: Final = {"example": "short simulation", "training": "training", "labels": "labels"}

EXAMPLES = """[b]Examples[/b]

  tbg explore --system mueller-brown --cv x --energy-budget 20000 --out runs/mb

  tbg explore --system ACE-ALA-NME --cv phi,psi --energy-budget 200000 --out runs/ala-pmf

  tbg explore --system ACE-ALA-NME --cv phi,psi --out runs/ala-pmf --resume --reference data/ala --md data/ala-md

  tbg sample --model coarse --checkpoint runs/ala-pmf/checkpoint --system ACE-ALA-NME --out runs/ala"""

Cv = Annotated[
    str,
    typer.Option(
        "--cv",
        metavar="A,B",
        help="Coarse coordinates: one or two torsions ([b]phi,psi[/b]), or coordinates of a point ([b]x[/b]).",
        rich_help_panel=o.CHOICE,
    ),
]
Budget = Annotated[
    int,
    typer.Option(
        "--energy-budget",
        min=1,
        metavar="N",
        help="Energies that may be evaluated, the short simulation included. May be raised with --resume.",
        rich_help_panel=o.STATE,
    ),
]
Md = Annotated[
    Path | None,
    typer.Option(
        "--md",
        metavar="DIR",
        help="A plain simulation ([b]tbg simulate -s dynamics.temperatures_K=[][/b]) to compare the cost with; "
        "needs --reference.",
        rich_help_panel=o.CHOICE,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "-s",
        "--set",
        metavar="KEY=VALUE",
        help="A number of the exploration, e.g. [b]-s threshold=0.3[/b], or of the model, [b]-s model.width=96[/b].",
        rich_help_panel=o.CHOICE,
    ),
]


@app.command(epilog=EXAMPLES)
def explore(
    system: Annotated[
        str, typer.Option("--system", metavar="SYSTEM", help="A molecule or a toy.", rich_help_panel=o.CHOICE)
    ],
    cv: Cv,
    energy: o.Energy = None,
    temperature: o.Temperature = None,
    energy_budget: Budget = 200_000,
    reference: o.Reference = None,
    md: Md = None,
    override: Set = None,
    seed: o.Seed = None,
    out: Annotated[Path | None, o.out_folder("runs/SYSTEM-explore-seedK")] = None,
    resume: o.Resume = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Potential of mean force of coarse coordinates by active learning, with its uncertainty.

    A conditional density of the fine coordinates is trained by the energy alone, from a short simulation on, and gives
    free energies at points of the coarse space. Walkers on the PMF find where it is not known yet; rounds go on until
    they find nothing, or the energies are spent. Each round is one file: killed, the same command with --resume ends
    with the same result. DIR/checkpoint is a proposal for [b]tbg sample[/b], whose weights make the ensemble unbiased.
    """
    prepare_machine(threads=1, max_memory=None)
    from tbg_coarse.run import make_plan, run_exploration

    plan = make_plan(system, cv, energy, temperature, energy_budget, seed or 0, override or [])
    folder = out or Path("runs") / f"{plan.system.name}-explore-seed{plan.seed}"
    progress = make_progress(quiet=quiet)
    metrics = run_exploration(plan, folder, resume=resume, reference=reference, md=md, progress=progress)
    typer.echo(json.dumps(metrics, indent=2) if as_json else _summary(metrics, folder))


def _summary(metrics: dict[str, Any], folder: Path) -> str:
    spent = metrics["energy_evaluations"]
    parts = ", ".join(f"{spent[part]:,} {what}" for part, what in _PARTS.items())
    lines = [
        f"{metrics['system']}: {len(metrics['rounds'])} rounds, {spent['total']:,} energies ({parts})",
        f"ended because {metrics['stopped']}",
    ]
    if metrics.get("forward_kl") is not None:
        lines.append(f"forward KL from the reference {metrics['forward_kl']:.4f} nats")
        lines.append(f"noise of the reference        {metrics['reference_floor']:.4f} nats")
    return "\n".join([*lines, f"report      {folder / 'report.html'}", f"checkpoint  {folder / 'checkpoint'}"])
