"""``tbg estimate``: averages and free energies of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tbg_core.cli import options as o
from tbg_core.cli.application import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tbg_core.ensemble.analysis import Analysis
    from tbg_core.ensemble.estimate import Estimate
    from tbg_core.ensemble.free_energy import Profile

app = make_app()

EXAMPLES = """[b]Examples[/b]

  tbg estimate runs/ala                        averages of the usual

  tbg estimate runs/ala -O phi -O distance:1:C,3:N --unit angstrom

  tbg estimate runs/ala -O phi --from -150,-30 --to 30,90 --unit kcal/mol

  tbg estimate runs/ala -O phi --profile --plot phi.png --json

  tbg estimate runs/ala -O j-hn-ha:2@hu1997    a J-coupling, its source

  tbg estimate runs/ala -O mycv.py:bend        your function is run

What can be asked of a molecule: [b]tbg observables list --system ACE-ALA-NME[/b]."""

Observables = Annotated[
    list[str] | None,
    typer.Option(
        "--observable",
        "-O",
        metavar="TEXT",
        help="What to estimate, e.g. [b]phi:2[/b], [b]distance:1:C,3:N[/b], [b]rg[/b], or [b]FILE.py:NAME[/b]; "
        "repeat for more. Left out: the usual ones.",
    ),
]
Unit = Annotated[
    list[str] | None,
    typer.Option(
        "--unit",
        metavar="UNIT",
        help="kT, kJ/mol or kcal/mol; degree or rad; nm or angstrom. Repeat for another kind.",
        show_default="kT, degree, nm",
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="LOW,HIGH",
        help="Region that a free-energy difference starts from, in the unit shown; LOW above HIGH runs through the "
        "end of a period.",
    ),
]
To = Annotated[str | None, typer.Option("--to", metavar="LOW,HIGH", help="Region that it goes to: F(to) - F(from).")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw the profiles: png, svg or pdf by the ending."),
]


@app.command(epilog=EXAMPLES)
def estimate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)],
    observable: Observables = None,
    unit: Unit = None,
    region_a: From = None,
    region_b: To = None,
    profile: Annotated[bool, typer.Option("--profile", help="Free energy along each observable.")] = False,
    bins: Annotated[int, typer.Option("--bins", min=1, metavar="N", help="Bins of a profile.")] = 36,
    plot: Plot = None,
    level: Annotated[
        float, typer.Option("--level", min=0.5, max=0.999, metavar="P", help="Coverage of the intervals.")
    ] = 0.9,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="K", help="Seed of the bootstrap.")] = 0,
    as_json: o.AsJson = False,
) -> None:
    """Averages, free-energy differences and profiles of a run, with intervals and the verdict."""
    from tbg_core import api

    analysis = api.estimate(
        run,
        observable,
        regions=_regions(region_a, region_b),
        profile=profile or plot is not None,
        bins=bins,
        units=unit or (),
        level=level,
        seed=seed,
    )
    if plot is not None:
        from tbg_core.ensemble.drawing import draw_profiles

        draw_profiles(
            analysis.profiles, plot, f"{analysis.ensemble.system.name}, {analysis.ensemble.temperature_K:g} K"
        )
    if as_json:
        typer.echo(json.dumps(analysis.to_dict(), indent=2))
        return
    _print(analysis)
    if plot is not None:
        typer.echo(f"plot    {plot}")


def _regions(region_a: str | None, region_b: str | None) -> tuple[tuple[float, float], tuple[float, float]] | None:
    from tbg_core.errors import ConfigError

    if region_a is None and region_b is None:
        return None
    if region_a is None or region_b is None:
        raise ConfigError("a free-energy difference needs two regions.", fix="Give --from LOW,HIGH and --to LOW,HIGH.")
    return _region("--from", region_a), _region("--to", region_b)


def _region(option: str, text: str) -> tuple[float, float]:
    from tbg_core.errors import ConfigError

    try:
        low, high = (float(end) for end in text.split(","))
    except ValueError:
        raise ConfigError(
            f"{option} {text!r} is no region.", fix=f"Write two numbers, e.g. {option} -150,-30."
        ) from None
    return low, high


def _print(analysis: Analysis) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    ensemble = analysis.ensemble
    typer.echo(f"system  {ensemble.system.name}, {ensemble.temperature_K:g} K")
    typer.echo(f"verdict {ensemble.reliability.describe()}")
    level = f"{100 * analysis.mean_energy.level:g} % interval"
    table = Table("", "value", level, "unit", "spread", "remarks", box=None, header_style="bold")
    rows = [("log Z", *_cells(ensemble.log_z), "", ""), ("mean energy", *_cells(analysis.mean_energy), "", "")]
    for a in analysis.averages:
        remarks = [f"curve +- {a.model_error:g}: {a.source}"] if a.model_error else []
        remarks += [a.note] if a.note else []
        rows.append((a.observable, *_cells(a.estimate), f"{a.spread:.3g}", "; ".join(remarks)))
    for d in analysis.differences:
        where = " -> ".join(f"{low:g}..{high:g}" for low, high in (d.region_a, d.region_b))
        # The verdict above has said what is wrong with the ensemble; what is wrong with a region is said here.
        reason = d.estimate.reason if ensemble.reliability.reliable else ""
        rows.append((f"F {d.observable} {where}", *_cells(d.estimate), "", reason))
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for profile in analysis.profiles:
        console.print(f"\nF along {profile.name} ({profile.unit or 'no unit'}), {profile.energy_unit}", markup=False)
        for centre, cells in _profile_rows(profile):
            console.print(f"{centre:>10.4g} {cells}", markup=False)


def _cells(estimate: Estimate) -> tuple[str, str, str]:
    interval = "none" if estimate.interval is None else "{:.4g} to {:.4g}".format(*estimate.interval)
    return f"{estimate.value:.4g}", interval, estimate.unit


def _profile_rows(profile: Profile) -> Iterator[tuple[float, str]]:
    import numpy as np

    for centre, free, low, high in zip(profile.centres, profile.free_energy, profile.low, profile.high, strict=True):
        if np.isfinite(free):
            band = f"  {low:.3g} to {high:.3g}" if np.isfinite(low) and np.isfinite(high) else ""
            yield float(centre), f"{free:8.3f}{band}"
