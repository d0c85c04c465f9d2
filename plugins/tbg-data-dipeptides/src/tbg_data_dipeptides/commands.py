"""``tbg bench dipeptides``: one protocol for every transferable model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

COMPARISON = "What is measured"

EXAMPLES = """[b]Examples[/b]

  tbg bench dipeptides --model autoregressive                      eight dipeptides, no reference: ESS, validity, cost

  tbg bench dipeptides --model autoregressive --split test_prose --references data/test_prose --out bench/prose

  tbg bench dipeptides --model autoregressive --references data/test_tbg_8 --out bench/tbg8 --resume      go on

  tbg bench dipeptides --checkpoint trained/mine --systems KS,GN --samples 1000 --seeds 1

  tbg bench dipeptides --dataset short-peptides --split test_tripeptides --model autoregressive

[b]References[/b] are made by

  tbg datasets make dipeptides --split test_tbg_8 --out data/test_tbg_8

and plain dynamics for TICA-W2, which needs frames that follow each other in time, by

  tbg datasets make dipeptides --split test_tbg_8 --out data/test_tbg_8-plain -s dynamics.temperatures_K=[]"""

app = make_app()


@app.command(epilog=EXAMPLES)
def dipeptides(
    *,
    model: o.Model = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", metavar="NAME", help="Another one, measured alike: short-peptides.", rich_help_panel=COMPARISON
        ),
    ] = "dipeptides",
    split: Annotated[
        str,
        typer.Option("--split", metavar="NAME", help="See [b]tbg datasets list[/b].", rich_help_panel=COMPARISON),
    ] = "test_tbg_8",
    systems: Annotated[
        str | None,
        typer.Option("--systems", metavar="A,B", help="Only these of the split.", rich_help_panel=COMPARISON),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", "-n", min=2, metavar="N", help="Samples of a run.", rich_help_panel=COMPARISON)
    ] = 10_000,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds", min=1, metavar="K", help="Runs of each dipeptide; may be raised.", rich_help_panel=COMPARISON
        ),
    ] = 3,
    references: Annotated[
        Path | None,
        typer.Option(
            "--references",
            metavar="DIR",
            help="Simulations of the split, by [b]tbg datasets make[/b]; without them no distances.",
            rich_help_panel=COMPARISON,
        ),
    ] = None,
    plain: Annotated[
        Path | None,
        typer.Option(
            "--plain", metavar="DIR", help="Plain dynamics of the split, for TICA-W2.", rich_help_panel=COMPARISON
        ),
    ] = None,
    lag: Annotated[
        int, typer.Option("--lag", min=1, metavar="N", help="Lag of TICA in frames.", rich_help_panel=COMPARISON)
    ] = 100,
    points: Annotated[
        int,
        typer.Option(
            "--points",
            min=2,
            metavar="N",
            help="Most points of T-W2 and TICA-W2; 10000 as in papers take half a minute and 3 GB each.",
            rich_help_panel=COMPARISON,
        ),
    ] = 2000,
    skip: Annotated[
        int,
        typer.Option(
            "--skip",
            min=0,
            metavar="N",
            help="Frames left out at the start of each walker.",
            rich_help_panel=COMPARISON,
        ),
    ] = 20,
    energy: o.Energy = None,
    integrator: o.Integrator = None,
    likelihood: o.Likelihood = None,
    sampler: o.Sampler = None,
    checkpoint: o.Checkpoint = None,
    override: o.Set = None,
    out: Annotated[
        Path | None, o.out_folder("bench/DATASET-SPLIT-MODEL", "runs, results.json, results.md and report.html")
    ] = None,
    resume: o.Resume = False,
    device: o.Device = "auto",
    threads: o.Threads = None,
    executor: o.Executor = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Measure a transferable model on dipeptides that it was not trained on.

    Every dipeptide of the split is sampled several times and compared with its
    reference simulation: effective sample size, validity, Wasserstein distances,
    free energies, cost; for the proposal and for the weighted samples, beside
    published figures. Killed at any time, it goes on with --resume.
    """
    cores = prepare_machine(threads=threads, max_memory=max_memory, device=device)
    from rich.console import Console
    from rich.table import Table

    from tbg_core.benchmark import tables
    from tbg_core.benchmark.page import write_results
    from tbg_core.benchmark.run import Comparison, benchmark
    from tbg_core.storage.folders import check_inputs
    from tbg_data_dipeptides.published import published, remarks

    for option, folder in (("--references", references), ("--plain", plain), ("--checkpoint", checkpoint)):
        check_inputs([folder] if folder is not None else [], option)
    label = model or (checkpoint.resolve().name if checkpoint is not None else "default")
    folder = out or Path("bench") / f"{dataset}-{split}-{label}"
    parts = {"model": model, "energy": energy, "integrator": integrator, "likelihood": likelihood, "sampler": sampler}
    entries = benchmark(
        dataset,
        split,
        folder,
        systems=None if systems is None else [name.strip() for name in systems.split(",")],
        components={**parts, "executor": executor},
        options=override,
        checkpoint=checkpoint,
        samples=samples,
        seeds=seeds,
        comparison=Comparison(references, plain, lag, points, skip),
        resume=resume,
        device=device,
        workers=cores,
        progress=make_progress(quiet=quiet),
    )
    title = f"{len(entries)} {dataset} of {split}, {samples:,} samples each"
    written = write_results(folder, entries, published(split), title=title, label=label, about=remarks(split))
    made = tables.brief(entries)
    table = Table(box=None, header_style="bold")
    for column in made.columns:
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for row in made.rows:
        table.add_row(*row)
    Console(highlight=False).print(table)
    typer.echo(f"table    {written[1]}")
    typer.echo(f"report   {written[-1]}")
