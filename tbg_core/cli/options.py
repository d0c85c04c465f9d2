"""The options that several verbs share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

CHOICE = "What to sample, with what"
STATE = "How much, and where to"
MACHINE = "This machine"

System = Annotated[
    str | None,
    typer.Option(
        "--system",
        metavar="SYSTEM",
        help="A name, a one-letter sequence ([b]GF[/b]: a zwitterion), residue codes with caps "
        "([b]ACE-ALA-NME[/b]), or a PDB file.",
        rich_help_panel=CHOICE,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="The proposal, or the field of a flow, e.g. [b]egnn[/b].",
        rich_help_panel=CHOICE,
    ),
]
Energy = Annotated[
    str | None,
    typer.Option("--energy", metavar="NAME", help="The energy that weights the samples.", rich_help_panel=CHOICE),
]
Prior = Annotated[
    str | None,
    typer.Option("--prior", metavar="NAME", help="Where the flow starts.", rich_help_panel=CHOICE),
]
Integrator = Annotated[
    str | None,
    typer.Option("--integrator", metavar="NAME", help="How the flow is integrated.", rich_help_panel=CHOICE),
]
Likelihood = Annotated[
    str | None,
    typer.Option("--likelihood", metavar="NAME", help="How log q is obtained along the flow.", rich_help_panel=CHOICE),
]
Sampler = Annotated[
    str | None,
    typer.Option("--sampler", metavar="NAME", help="How draws become weighted samples.", rich_help_panel=CHOICE),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="K",
        min=1e-3,
        help="Kelvin; left out: that of the energy's preset.",
        show_default=False,
        rich_help_panel=CHOICE,
    ),
]
TrustForcefield = Annotated[
    bool,
    typer.Option(
        "--trust-forcefield",
        help="Allow force-field files from outside OpenMM; they can hold code, which is executed.",
        rich_help_panel=CHOICE,
    ),
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="DIR",
        help="A trained model; left out: the one that ships with the model.",
        rich_help_panel=CHOICE,
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="DIR",
        help="A folder that [b]tbg simulate[/b] made of the same distribution; the report compares with it.",
        rich_help_panel=CHOICE,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="YAML or TOML; -s and flags go over it.", rich_help_panel=CHOICE),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="Named settings of a plugin, under all others ([b]tbg config recipes[/b]).",
        rich_help_panel=CHOICE,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "-s",
        "--set",
        metavar="KEY=VALUE",
        help="Any option by its path, e.g. [b]-s integrator.rtol=1e-6[/b]; repeat as needed.",
        rich_help_panel=CHOICE,
    ),
]
NumSamples = Annotated[
    int | None,
    typer.Option(
        "--num-samples",
        "-n",
        metavar="N",
        min=1,
        help="Samples to attempt.",
        show_default="256",
        rich_help_panel=STATE,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="K",
        min=0,
        help="Fixes every random number.",
        show_default="0",
        rich_help_panel=STATE,
    ),
]


def out_folder(default: str, content: str = "the results") -> Any:
    """The option --out; ``default`` is what help shows, ``content`` what lies in the folder afterwards."""
    return typer.Option(
        "--out", "-o", metavar="DIR", help=f"Folder for {content}.", show_default=default, rich_help_panel=STATE
    )


Out = Annotated[Path | None, out_folder("runs/SYSTEM-MODEL-ENERGY-seedK")]
DataOut = Annotated[Path | None, out_folder("data/SYSTEM-ENERGY-seedK")]
TrainedOut = Annotated[Path | None, out_folder("trained/MODEL-seedK")]
ReweightedOut = Annotated[Path | None, out_folder("RUN-reweighted")]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Complete the job that was begun in the folder.", rich_help_panel=STATE),
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, ...", rich_help_panel=MACHINE),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="CPU cores to use.",
        show_default="all",
        rich_help_panel=MACHINE,
    ),
]
Executor = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="Where the work is done: [b]local[/b] processes, or e.g. [b]dask[/b].",
        show_default="local",
        rich_help_panel=MACHINE,
    ),
]
MaxMemory = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="Stop instead of using more, e.g. [b]4GB[/b]; per process.",
        rich_help_panel=MACHINE,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress; results and errors only.", rich_help_panel=MACHINE),
]
FromScratch = Annotated[
    bool,
    typer.Option(
        "--from-scratch",
        help="Simulate and train first instead of using a trained model.",
        rich_help_panel=CHOICE,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output with a stable form.")]
