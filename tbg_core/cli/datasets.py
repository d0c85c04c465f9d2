"""``tbg datasets``: sets of systems, simulated in one job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app
from tbg_core.cli.machine import prepare_machine
from tbg_core.cli.progress import make_progress

app = make_app("Make, list, show and pack datasets of many systems.", group=True)

MAKE_EXAMPLES = """[b]Examples[/b]

  tbg datasets make dipeptides --split train --out data/dipeptides

  tbg datasets make dipeptides --out data/dipeptides --resume      go on

  tbg datasets make dipeptides --split validation --systems AL,EC --out data/v

  tbg datasets make dipeptides --out data/dipeptides --resume --frames 240"""

LIST_EXAMPLES = """[b]Examples[/b]

  tbg datasets list"""

SHOW_EXAMPLES = """[b]Examples[/b]

  tbg datasets show data/dipeptides         frames, convergence

  tbg datasets show dipeptides              the same of the frames that ship

  tbg datasets show data/dipeptides --json"""

PACK_EXAMPLES = """[b]Examples[/b]

  tbg datasets pack data/dipeptides --frames 1600 --out packed

  tbg datasets pack data/dipeptides --samples runs --out packed

  tbg datasets pack dipeptides --samples runs --out better     what ships"""

Split = Annotated[
    str,
    typer.Option("--split", metavar="NAME", help="Which part; see [b]tbg datasets list[/b].", rich_help_panel=o.CHOICE),
]
Systems = Annotated[
    str | None,
    typer.Option("--systems", metavar="A,B", help="Only these systems of the split.", rich_help_panel=o.CHOICE),
]
Frames = Annotated[
    int | None,
    typer.Option(
        "--frames",
        min=1,
        metavar="N",
        help="Frames per walker; may be raised when a finished job is resumed.",
        show_default="that of the dataset",
        rich_help_panel=o.STATE,
    ),
]
Folder = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        help="Folder of `tbg datasets make`, or a packed one; or the name of one that ships.",
        show_default=False,
    ),
]
PackedOut = Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder.", rich_help_panel=o.STATE)]
PackedFrames = Annotated[
    int | None,
    typer.Option(
        "--frames",
        min=1,
        metavar="N",
        help="Frames per system.",
        show_default="1600, or as many as there are in a packed one",
        rich_help_panel=o.STATE,
    ),
]
Skip = Annotated[
    int,
    typer.Option(
        "--skip", min=0, metavar="N", help="Frames of each walker left out at its start.", rich_help_panel=o.STATE
    ),
]
Samples = Annotated[
    Path | None,
    typer.Option(
        "--samples",
        metavar="DIR",
        help="Draw the frames by weight from these runs of [b]tbg sample[/b], one per system, where they are reliable.",
        rich_help_panel=o.STATE,
    ),
]


@app.command(epilog=MAKE_EXAMPLES)
def make(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Its name.", show_default=False)],
    split: Split = "train",
    systems: Systems = None,
    override: o.Set = None,
    frames: Frames = None,
    seed: o.Seed = None,
    out: o.DataOut = None,
    resume: o.Resume = False,
    threads: o.Threads = None,
    executor: o.Executor = None,
    max_memory: o.MaxMemory = None,
    quiet: o.Quiet = False,
) -> None:
    """Simulate the systems of a dataset, one after the other, in blocks that survive an interruption."""
    cores = prepare_machine(threads=threads, max_memory=max_memory)
    from tbg_core import api

    folder = api.make_dataset(
        dataset,
        split=split,
        systems=None if systems is None else [name.strip() for name in systems.split(",")],
        frames=frames,
        seed=seed,
        options=override,
        out=out,
        resume=resume,
        threads=cores,
        executor=executor,
        progress=make_progress(quiet=quiet),
    )
    typer.echo(f"dataset  {folder}")


@app.command("list", epilog=LIST_EXAMPLES)
def list_datasets(as_json: o.AsJson = False) -> None:
    """List the installed datasets and their splits."""
    from tbg_core import api

    found = api.list_datasets()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("dataset", "split", "systems", "for", "frames that ship", box=None, header_style="bold")
    for entry in found:
        purpose = "training" if entry["training"] else "held out"
        table.add_row(entry["dataset"], entry["split"], str(entry["systems"]), purpose, entry["shipped"] or "-")
    Console(highlight=False).print(table)
    if not found:
        typer.echo("No dataset is installed. Try: pip install tbg-data-dipeptides", err=True)


@app.command(epilog=SHOW_EXAMPLES)
def show(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A folder, or the name of a dataset.", show_default=False)
    ],
    as_json: o.AsJson = False,
) -> None:
    """Show how far the systems of a dataset have converged."""
    from tbg_core import api

    manifest = api.show_dataset(dataset)
    if as_json:
        typer.echo(json.dumps(manifest, indent=2))
        return
    from tbg_core.datasets.table import print_table

    print_table(manifest)


@app.command(epilog=PACK_EXAMPLES)
def pack(
    folder: Folder,
    out: PackedOut,
    frames: PackedFrames = None,
    skip: Skip = 20,
    samples: Samples = None,
    quiet: o.Quiet = False,
) -> None:
    """Write the published form of a dataset: 16-bit positions, frames at equal distances or drawn from samples."""
    from tbg_core import api

    packed = api.pack_dataset(
        folder, out=out, frames=frames, skip=skip, samples=samples, progress=make_progress(quiet=quiet)
    )
    typer.echo(f"packed  {packed}")
