"""``tbg bench likelihood``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tbg_core.cli.application import make_app

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg bench likelihood                                      22, 33 and 51 atoms: about half an hour of one core

  tbg bench likelihood --quick                              22 atoms, two samples: a minute

  tbg bench likelihood --molecules FA,WW --samples 3 --out likelihood.json

  tbg bench likelihood --molecules ACE-ALA-NME --stages 0   follow whole paths with every divergence

  tbg bench likelihood --model hollow --molecules FA        a field whose divergence is three reverse passes

  tbg bench likelihood --cpu-time                           on a machine that others use"""


@app.command(epilog=EXAMPLES)
def likelihood(
    *,
    molecules: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Sequences or residue codes.", show_default="ACE-ALA-NME,FA,WW"),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", "-n", min=1, metavar="N", help="Samples of each molecule, shared by the rounds.")
    ] = 12,
    rounds: Annotated[int, typer.Option(min=1, help="How often each variant is timed, all in turn.")] = 3,
    stages: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Stages of the integrator that generic divergences are timed on, and charged for all; 0: whole paths.",
        ),
    ] = 4,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A trained flow, for all of the molecules.")
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="Vector field: egnn, hollow, e3nn, ...")] = "egnn",
    layers: Annotated[
        int | None, typer.Option(min=1, help="Layers of a fresh network.", show_default="its own, where nothing ships")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Width of a fresh network.", show_default="its own, where nothing ships")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the samples and of fresh weights.")] = 0,
    cpu_time: Annotated[
        bool, typer.Option("--cpu-time", help="Count time on the CPU instead of the clock's: where others compute too.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="ACE-ALA-NME alone, two samples, two rounds.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all numbers as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Cost and error of the exact log q of a flow, and what each step of its making gained.

    Divergences by 3N reverse passes at every stage of dopri5 are the baseline; then by forward mode in blocks,
    then by the field's own rule; last, the default: the path first, then the field's own rule at the nodes of a
    quadrature. All are timed in turn on the same samples, on one thread; shown are medians over the rounds and
    their range. Errors are those of log q against dopri5 at 1e-8 in float64.

    The model is the one that ships with a molecule; elsewhere the network is fresh: what it costs depends on its
    size alone, but its errors are not those of a trained one.
    """
    import torch

    from tbg_core.cli.outcome import write_measured
    from tbg_core.cli.progress import make_progress
    from tbg_core.errors import ConfigError
    from tbg_core.flows.cost import Plan, steps
    from tbg_core.storage.folders import check_inputs
    from tbg_egnn.likelihood_benchmark import MOLECULES, Model, measure_all

    torch.set_num_threads(1)
    if checkpoint is not None:
        check_inputs([checkpoint], "--checkpoint")
        if layers is not None or width is not None:
            raise ConfigError("--checkpoint has its own size.", fix="Leave out --layers and --width.")
    chosen = tuple(word.strip() for word in (molecules or "").split(",") if word.strip())
    if molecules is not None and not chosen:
        raise ConfigError("--molecules names no molecule.", fix="Give names such as ACE-ALA-NME,FA.")
    chosen = chosen or (MOLECULES[:1] if quick else MOLECULES)
    plan = Plan(
        samples=min(samples, 2) if quick else samples,
        rounds=min(rounds, 2) if quick else rounds,
        stages=stages,
        seed=seed,
        cpu_time=cpu_time,
    )
    with make_progress(quiet=False).stage("bench", total=len(chosen) * steps(plan), unit="steps") as bar:
        measured = measure_all(
            chosen, Model(checkpoint, model, layers, width, seed), plan, lambda step: bar.advance(1, note=step)
        )
    if write_measured(measured, out, as_json=as_json):
        return
    from rich.console import Console

    _show(measured, Console(highlight=False))


def _show(measured: dict[str, Any], console: Console) -> None:
    """For each molecule the cost of every variant, then its errors and the bar."""
    stages = measured["plan"]["stages"]
    for result in measured["molecules"]:
        console.print(
            f"{result['molecule']}, {result['atoms']} atoms, {result['samples']} samples, {result['weights']}"
        )
        console.print()
        costs = _table("div.", "s/sample", "range", "cheaper", "range", "step")
        errors = _table("n", "rms", "99 %", "max")
        for row in result["variants"]:
            seconds, cheaper, step = row["seconds"], row["times_cheaper"], row["times_cheaper_than_before"]
            costs.add_row(
                row["variant"] + ("" if row["timed_stages"] is None else " *"),
                f"{row['divergences']:.0f}",
                f"{seconds['median']:.3g}",
                f"{seconds['lowest']:.3g} to {seconds['highest']:.3g}",
                f"{cheaper['median']:.2g}",
                f"{cheaper['lowest']:.2g} to {cheaper['highest']:.2g}",
                "" if step is None else f"{step['median']:.2g}",
            )
            if row["log_q_error"] is not None:
                errors.add_row(row["variant"], *_error(row["log_q_error"]))
        console.print(costs)
        console.print()
        console.print(errors)
        differences = [row["divergence_difference"] for row in result["variants"] if row["timed_stages"] is not None]
        if differences:
            console.print(
                f"* timed on {stages} stages of each sample and charged for all. Divergences there differ from the "
                f"structured one by at most {max(differences):.0e}: log q is that of `structured`."
            )
        bar = result["bar"]
        met = ", ".join(bar["met_by"]) or "none"
        console.print(
            f"Bar: {bar['times_cheaper']:g} times cheaper, 99 % of errors below {bar['p99_nats']:g} nats: met by {met}."
        )
        console.print()
    console.print("div.: divergences a sample.")
    console.print("cheaper: than reverse passes. step: than the row before; quadratures: than `structured`.")
    console.print("n: samples with an error, |log q - reference| in nats.")


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    table.add_column("variant", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _error(error: dict[str, Any]) -> list[str]:
    count = f"{error['samples'] - error['failed']} of {error['samples']}" if error["failed"] else f"{error['samples']}"
    return [count, *("" if error[key] is None else f"{error[key]:.1e}" for key in ("rms", "p99", "max"))]
