"""``tbg bench energy``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tbg_core.cli.application import make_app

if TYPE_CHECKING:
    from rich.console import Console

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg bench energy                                       six molecules, four batch sizes: about ten minutes

  tbg bench energy --quick                               two molecules in under a minute

  tbg bench energy --molecules AA,KE --batches 1,64,1024 --out energy.json

  tbg bench energy --cpu-time                            on a machine that others use"""


@app.command(epilog=EXAMPLES)
def energy(
    *,
    molecules: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Sequences or residue codes.",
            show_default="AA,KE,WW,AAA,GYDPETGTWG,ACE-ALA-NME",
        ),
    ] = None,
    batches: Annotated[
        str | None,
        typer.Option(metavar="N,M", help="Conformations per call of the engine.", show_default="1,16,128,1024"),
    ] = None,
    precisions: Annotated[
        str, typer.Option(metavar="P,Q", help="Arithmetic of the engine: single, double.")
    ] = "single,double",
    backends: Annotated[str, typer.Option(metavar="B,C", help="Engine: native, torch.")] = "native,torch",
    rounds: Annotated[int, typer.Option(min=1, help="How often each method is timed, all in turn.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.001, help="Shortest time of one timing.")] = 0.2,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the engine; OpenMM has one.")] = 1,
    cpu_time: Annotated[
        bool, typer.Option("--cpu-time", help="Count time on the CPU instead of the clock's: where others compute too.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="AA and ACE-ALA-NME, fewer batches, short timings.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all numbers as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Energies per second of the engine, beside OpenMM's platforms in the same run.

    OpenMM evaluates one conformation after the other, on one thread, on each platform that works here; the
    fastest is the baseline. Compiling, and reading a System, are timed apart. All methods are timed in turn,
    round by round; shown are medians over the rounds, and their range.
    """
    import torch

    from tbg_core.cli.outcome import write_measured
    from tbg_core.cli.progress import make_progress
    from tbg_openmm.energy_benchmark import MOLECULES, Plan, measure

    torch.set_num_threads(threads)
    chosen = _words(molecules) or (("AA", "ACE-ALA-NME") if quick else MOLECULES)
    plan = Plan(
        molecules=chosen,
        batches=_numbers(batches) or ((1, 256) if quick else (1, 16, 128, 1024)),
        rounds=min(rounds, 3) if quick else rounds,
        seconds=min(seconds, 0.05) if quick else seconds,
        threads=threads,
        backends=_among(backends, ("native", "torch"), "--backends"),
        precisions=_among(precisions, ("single", "double"), "--precisions"),
        cpu_time=cpu_time,
    )
    with make_progress(quiet=False).stage("bench", total=len(chosen) * plan.rounds, unit="rounds") as bar:
        measured = measure(plan, bar)
    if write_measured(measured, out, as_json=as_json):
        return
    from rich.console import Console

    _show(measured, Console(highlight=False))


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _numbers(text: str | None) -> tuple[int, ...]:
    from tbg_core.errors import ConfigError

    try:
        numbers = tuple(int(word) for word in _words(text))
    except ValueError:
        numbers = (0,)
    if any(number < 1 for number in numbers):
        raise ConfigError(f"--batches {text} are not sizes of batches.", fix="Give numbers such as 1,64,1024.")
    return numbers


def _among(text: str, allowed: tuple[str, ...], option: str) -> tuple[str, ...]:
    from tbg_core.errors import ConfigError

    words = _words(text)
    if not words or not set(words) <= set(allowed):
        raise ConfigError(f"{option} {text} is not among {', '.join(allowed)}.", fix=f"Give {','.join(allowed)}.")
    return words


def _show(measured: dict[str, Any], console: Console) -> None:
    """Tables: every method, then the best of each side."""
    from rich.table import Table

    for result in measured["molecules"]:
        error = result["error"]
        title = f"{result['molecule']}, {result['atoms']} atoms, {result['preset']}"
        table = Table("method", title=title, title_justify="left", box=None, header_style="bold")
        for heading in ("batch", "U/s", "U and F/s", "range", "max dU", "max dF"):
            table.add_column(heading, justify="right", no_wrap=True)
        alone = {(s["method"], s["batch"]): s["rate"] for s in result["speeds"] if not s["forces"]}
        for s in (s for s in result["speeds"] if s["forces"]):
            method, batch, rate = s["method"], s["batch"], s["rate"]
            spread = f"{100 * (min(s['rates']) / rate - 1):.0f} +{100 * (max(s['rates']) / rate - 1):.0f} %"
            errors = [f"{e:.0e}" for e in error[method]] if method in error else ["", ""]
            size = str(batch) if method in error else "loop"
            table.add_row(method, size, f"{alone[method, batch]:,.0f}", f"{rate:,.0f}", spread, *errors)
        console.print(table)
        console.print()
    table = Table("molecule", title="The best of each side, U and F", title_justify="left", box=None)
    for heading in ("atoms", "engine/s", "OpenMM/s", "platform", "ratio", "range", "U alone"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in measured["molecules"]:
        both, alone = result["best"]["energy and forces"], result["best"]["energy"]
        table.add_row(
            result["molecule"],
            str(result["atoms"]),
            f"{both['engine']['rate']:,.0f}",
            f"{both['OpenMM']['rate']:,.0f}",
            both["OpenMM"]["method"].removeprefix("OpenMM "),
            f"{both['ratio']:.0f}",
            f"{both['ratio_lowest']:.0f} to {both['ratio_highest']:.0f}",
            f"{alone['ratio']:.0f}",
        )
    console.print(table)
    console.print("dU in kJ/mol, dF in kJ/mol/nm: against the Reference platform. U alone: ratio without forces.")
    compiled = measured["compile_s"]
    reading = max(result["reading_s"] for result in measured["molecules"])
    console.print(
        f"Once on a machine: {'no compiler' if compiled is None else f'{compiled:.1f} s to compile the kernel'}. "
        f"Once for a molecule: up to {1000 * reading:.0f} ms to read the System."
    )
    if measured["growth"]:
        growth = ", ".join(f"{side} atoms^{a:.2f}" for side, a in measured["growth"].items())
        console.print(f"Time per energy and forces grows as: {growth}.")
