"""``tbg labels``: what is known of systems of labels, labels of a molecule, probabilities of labellings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tbg_assignment.config import FORMS
from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

SHOW_EXAMPLES = """[b]Examples[/b]

  tbg labels show potts-chain:6x3                     log Z, entropy, marginals, by enumeration

  tbg labels show potts-grid:3x3x2 --temperature 600 --json"""

MAKE_EXAMPLES = """[b]Examples[/b]

  tbg labels make dipeptides --system LL --out LL.json      phi, psi, chi1, chi2 of the frames that ship

  tbg labels make runs/gf --torsions phi,psi,chi1 --out GF.json      of weighted samples, or of a simulation

  tbg run --model assignment --energy label-table --system labels:LL.json --from-scratch --out runs/LL"""

LIKELIHOOD_EXAMPLES = """[b]Examples[/b]

  tbg run --model assignment --energy potts --system potts-chain:6x3 --from-scratch --out runs/chain

  tbg labels likelihood runs/chain                    of all labellings, or of 256 drawn from the exact distribution

  tbg labels likelihood runs/chain --labelling 0,0,0,0,0,0 --labelling 0,1,2,0,1,2 --draws 256 --json"""

STUDY_EXAMPLES = """[b]Examples[/b]

  tbg labels study coupled-binary pinwheel:16 eight-gaussians:16 --out runs/densities

  tbg labels study categorical:4x5:1 categorical:4x10:1 categorical:4x20:1 -s training.steps=3000 --out runs/classes"""

JUDGED = "Labellings"

Draws = Annotated[int, typer.Option(min=4, metavar="N", help="States for each labelling.", rich_help_panel=JUDGED)]
Most = Annotated[
    int,
    typer.Option(
        "--labellings",
        min=2,
        metavar="K",
        help="Where more can occur, this many are drawn from the exact distribution.",
        rich_help_panel=JUDGED,
    ),
]

show, make, likelihood, study = (make_app() for _ in range(4))


def list_forms() -> None:
    """List the systems of discrete variables: texts to write after --system."""
    for form, meaning in FORMS.items():
        typer.echo(f"{form:24}{meaning}")


@show.command(epilog=SHOW_EXAMPLES)
def show_system(
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="See [b]tbg labels list[/b].")],
    temperature: Annotated[float, typer.Option("--temperature", metavar="K", min=1e-3, help="Kelvin.")] = 300.0,
    as_json: o.AsJson = False,
) -> None:
    """Show what is known exactly about a system: log Z, entropy, what its variables know of each other, marginals."""
    from tbg_assignment.runs import energy_of, find_system, target_of

    found = find_system(system)
    exact = target_of(found, temperature, energy_of(found), {}).distribution
    n, c = found.space.event_shape
    known = {} if exact is None else {"log_z": exact.log_z, "entropy": exact.entropy, "information": exact.information}
    marginals = [] if exact is None else exact.marginals.tolist()
    if as_json:
        content = {"system": found.name, "variables": n, "classes": c, "temperature_K": temperature}
        typer.echo(json.dumps({**content, "exact": known, "marginals": marginals}, indent=2))
        return
    typer.echo(f"{found.name}: {n} variables of {c} classes, energy {energy_of(found)}, {temperature:g} K")
    for key, value in known.items():
        typer.echo(f"  {key:14}{value:.10g}")
    for i, row in enumerate(marginals):
        name = found.variable_names[i] if found.variable_names else f"variable {i}"
        shown = " ".join(f"{p:.4f}" for p in row[:12])
        typer.echo(f"  {name:14}{shown}{' ...' if c > 12 else ''}")
    if exact is None:
        typer.echo("  too many labellings to be enumerated")


@make.command(epilog=MAKE_EXAMPLES)
def make_labels(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A dataset, a simulation, or a run.")],
    *,
    system: Annotated[str | None, typer.Option("--system", metavar="NAME", help="Which molecule of a dataset.")] = None,
    torsions: Annotated[
        str, typer.Option("--torsions", metavar="A,B", help="Kinds, of all residues that have them.")
    ] = "phi,psi,chi1,chi2",
    hold_out: Annotated[
        float, typer.Option("--hold-out", min=0.0, max=0.9, metavar="SHARE", help="Share of the walkers kept aside.")
    ] = 0.25,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write, .json.")],
) -> None:
    """Make a system of the joint states of a molecule's torsions, counted in frames.

    Classes are the basins of phi (left-handed or not), of psi (helical or extended) and the rotamers of each chi. The
    system is written [b]labels:FILE[/b], its energy is [b]label-table[/b].
    """
    prepare_machine(threads=1, max_memory=None)
    from tbg_assignment.label_file import write_label_file
    from tbg_assignment.torsion_states import frames_of, torsion_states

    content = torsion_states(frames_of(source, system), torsions.split(","), hold_out, source)
    write_label_file(out, content)
    typer.echo(f"{content.name}: {', '.join(content.variables)}; {content.classes} classes")
    typer.echo(f"{len(content.labels)} joint states of {content.classes ** len(content.variables)} in the frames")
    typer.echo(f"independent frames: {content.frames:.0f}, held out {content.held_out_frames:.0f}")
    typer.echo(f"system: --system labels:{out} --energy label-table")


@likelihood.command(epilog=LIKELIHOOD_EXAMPLES)
def likelihood_of(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run of a flow on discrete variables.")],
    *,
    labelling: Annotated[
        list[str] | None,
        typer.Option(
            "--labelling",
            metavar="A,B,...",
            help="One label for each variable; may be repeated. Left out: all that can occur.",
            rich_help_panel=JUDGED,
        ),
    ] = None,
    labellings: Most = 256,
    draws: Draws = 64,
    soft: Annotated[
        bool, typer.Option("--soft", help="Labels drawn by softmax, not rounded.", rich_help_panel=JUDGED)
    ] = False,
    seed: o.Seed = None,
    out: Annotated[Path | None, o.out_folder("RUN-labels", "report.html and labels.json")] = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Probabilities that the model of a run gives to labellings, with errors.

    Each is the integral of the density of the flow over the states that are rounded to the labelling, by importance
    sampling. Beside the exact distribution they give the Kullback-Leibler divergence of the model; for the labels of a
    molecule, also what it is worth on frames that were held out.
    """
    prepare_machine(threads=1, max_memory=None)
    from tbg_assignment.judgement import Plan, parse_labelling
    from tbg_assignment.page import summary, write_page
    from tbg_assignment.study import judged
    from tbg_core.storage.folders import check_folder

    folder = out or run.with_name(f"{run.name}-labels")
    plan = Plan(tuple(map(parse_labelling, labelling or ())), labellings, draws, soft, seed or 0)
    check_folder(folder, resume=False)
    found = [judged(run, plan, make_progress(quiet=quiet))]
    numbers = write_page(found, folder)
    typer.echo(json.dumps(numbers, indent=2) if as_json else summary(found, folder))


@study.command(epilog=STUDY_EXAMPLES)
def study_systems(
    systems: Annotated[list[str], typer.Argument(metavar="SYSTEM...", help="See [b]tbg labels list[/b].")],
    *,
    override: o.Set = None,
    num_samples: Annotated[
        int, typer.Option("--num-samples", "-n", min=1, metavar="N", help="Samples of each run.")
    ] = 1024,
    labellings: Most = 256,
    draws: Draws = 32,
    seed: o.Seed = None,
    out: Annotated[Path, o.out_folder("runs/labels", "the runs, report.html and labels.json")] = Path("runs/labels"),
    resume: o.Resume = False,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
) -> None:
    """Train an assignment flow on each of some small problems, and compare it with what is exact.

    Training data are exact samples. The report has the divergence of the model from the exact distribution, beside that
    of independent variables, the effective sample size of the run, maps of systems of two variables, and the scaling
    with the number of classes.
    """
    prepare_machine(threads=1, max_memory=None)
    from tbg_assignment.judgement import Plan
    from tbg_assignment.page import summary, write_page
    from tbg_assignment.study import study as study_all
    from tbg_core.storage.folders import check_folder

    check_folder(out, resume=resume)
    plan = Plan((), labellings, draws, seed=seed or 0)
    progress = make_progress(quiet=quiet)
    found = study_all(
        systems, out, plan, options=override or [], num_samples=num_samples, progress=progress, resume=resume
    )
    numbers = write_page(found, out)
    typer.echo(json.dumps(numbers, indent=2) if as_json else summary(found, out))
