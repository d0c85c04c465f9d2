"""``tbg bench sampling``."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tbg_core.cli.application import make_app

if TYPE_CHECKING:
    from rich.console import Console

app = make_app()

_NOTHING = "–"

EXAMPLES = """[b]Examples[/b]

  tbg bench sampling                                        GF, all methods: about half an hour of one core

  tbg bench sampling --system KG --seconds 60 --repeats 16 --out runs/bench-kg

  tbg bench sampling --reference data/GF --methods engine-tempering,autoregressive/importance"""


@app.command(epilog=EXAMPLES)
def sampling(
    *,
    system: Annotated[str, typer.Option("--system", metavar="SYSTEM", help="A peptide.")] = "GF",
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="CPU time of each repeat.")] = 30.0,
    repeats: Annotated[int, typer.Option("--repeats", min=2, help="Independent repeats of each method.")] = 8,
    methods: Annotated[
        str | None, typer.Option("--methods", metavar="A,B", help="Methods to compare.", show_default="all")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="DIR",
            help="Simulation of the system to compare with; by default one by replica exchange is made.",
        ),
    ] = None,
    reference_frames: Annotated[
        int, typer.Option("--reference-frames", min=100, help="Its frames (1 ps) of each of 16 walkers.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="K", help="Seed of the first repeat.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of the results.", show_default="runs/bench-sampling-SYSTEM"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Effective samples for a second of one core, and for an energy, of every way to sample a peptide.

    Molecular dynamics by OpenMM (2 fs, bonds to hydrogen constrained), dynamics and replica exchange on the engine, and
    each shipped generator that covers the peptide, with each sampler: all get the same CPU time, start-up included.
    Judged are averages over repeats with different seeds, against a reference: populations of torsion basins, and the
    mean energy. Killed, the same command goes on where it stopped.
    """
    from pathlib import Path as Folder

    import torch

    from tbg_core.cli.progress import make_progress
    from tbg_openmm.sampling_benchmark import Plan, measure

    torch.set_num_threads(1)
    names = tuple(word.strip() for word in (methods or "").split(",") if word.strip())
    plan = Plan(system, seconds, repeats, names, seed, reference_frames)
    measured = measure(plan, out or Folder("runs") / f"bench-sampling-{system}", make_progress(quiet=False), reference)
    if as_json:
        typer.echo(json.dumps(measured, indent=2))
        return
    from rich.console import Console

    show(measured, Console(highlight=False, width=None if sys.stdout.isatty() else 110))


def show(measured: dict[str, Any], console: Console) -> None:
    """One row for each method."""
    from rich.table import Table

    plan = measured["plan"]
    title = f"{plan['system']}: {plan['seconds']:g} s of one core, {plan['repeats']} repeats"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("method", no_wrap=True)
    for heading in ("samples", "energies", "phi/s", "phi/1000", "off", "U/s", "off", "worst/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in measured["methods"].items():
        seconds, energies, quantities = found["seconds"], found["evaluations"], found["quantities"]
        basins = [value for key, value in quantities.items() if key != "u"]
        left = [value for key, value in quantities.items() if key.startswith("phi")]
        phi, energy, worst = _least(left), quantities.get("u"), _least(basins)
        table.add_row(
            name,
            f"{found['samples']:,.0f}",
            f"{energies:,.0f}",
            _figure(phi["effective"] / seconds) if phi else _NOTHING,
            _figure(1000 * phi["effective"] / energies) if phi else _NOTHING,
            f"{phi['offset']:+.1f}" if phi else _NOTHING,
            _figure(energy["effective"] / seconds) if energy else _NOTHING,
            f"{energy['offset']:+.1f}" if energy else _NOTHING,
            _figure(worst["effective"] / seconds) if worst else _NOTHING,
        )
    console.print(table)
    factor = (2.0 / (plan["repeats"] - 1)) ** 0.5
    console.print(
        "Effective samples: as many independent ones as would have the error found between repeats; uncertain by about "
        f"{100 * factor:.0f} %. phi: population of phi in 0 to 120 degrees, for a second and for a thousand energies. "
        "U: mean energy. worst: the least of all basins of phi, psi and chi1. off: mean less reference, in standard "
        "errors of both. Start-up is part of the time. Constraints change the mean of U: it is not judged there."
    )


def _least(values: list[dict[str, float]]) -> dict[str, float] | None:
    return min(values, key=lambda value: value["effective"], default=None)


def _figure(value: float) -> str:
    """Two digits, and no powers of ten."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
