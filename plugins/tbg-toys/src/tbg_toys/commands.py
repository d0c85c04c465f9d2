"""``tbg toys``: what the toys are, and what is known about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tbg_toys.config import TOYS

EXAMPLES = """[b]Examples[/b]

  tbg toys show mueller-brown

  tbg toys show double-well:5 --temperature 400 --json

  tbg toys show mueller-brown --plot potential.svg"""


def list_toys() -> None:
    """List the toys: names to write after --system."""
    for name, meaning in TOYS.items():
        typer.echo(f"{name:24}{meaning}")
    typer.echo("\nWith a dimension as in double-well:5 (2 if none; mueller-brown has 2 only).")


show = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@show.command(epilog=EXAMPLES)
def show_toy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A toy, e.g. mueller-brown or double-well:5.")],
    temperature: Annotated[float, typer.Option("--temperature", metavar="K", min=1e-3, help="Kelvin.")] = 300.0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw the potential: .svg, .png or .pdf.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Show a toy's potential and its exact values: log Z, averages, the free-energy difference of its basins."""
    from tbg_core.errors import UnsupportedSystemError
    from tbg_core.registry.naming import did_you_mean
    from tbg_toys.lookup import energy_of, find_toy, toy_target

    system = find_toy(name)
    if system is None:
        raise UnsupportedSystemError(
            f"no toy is called {name!r}.{did_you_mean(name, TOYS)}", fix="See `tbg toys list`."
        )
    target = toy_target(system, temperature, {})
    exact = dict(target.reference_values)
    if plot is not None:
        _plot(plot, target)
    if as_json:
        typer.echo(json.dumps({"system": system.name, **target.describe(), "exact": exact}, indent=2))
        return
    typer.echo(f"{system.name}: {TOYS[system.toy]}")
    typer.echo(f"energy {energy_of(system.toy)}, {system.dim} dimensions, {temperature:g} K")
    for key, value in target.parameters.items():
        typer.echo(f"  {key:32}{value}")
    typer.echo("exact, energies in kT:")
    for key, value in exact.items():
        typer.echo(f"  {key:32}{value:.10g}")
    if plot is not None:
        typer.echo(f"drawn in {plot}")
    else:
        typer.echo(f"Sample it: tbg run --system {system.name} --energy {energy_of(system.toy)} --from-scratch")


def _plot(path: Path, target) -> None:  # noqa: ANN001 - a ToyTarget, which is not imported before it is used
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from tbg_core.errors import StorageError
    from tbg_core.randomness import generator
    from tbg_toys.landscape import draw_landscape

    drawing = Figure(figsize=(5.0, 4.2), layout="constrained")
    axes = drawing.add_subplot()
    samples = target.draw(generator(0, "toys", "plot"), 1000)
    draw_landscape(axes, target, samples, mpl.colormaps["viridis"])
    if target.system.dim == 2:
        axes.plot(samples[:, 0], samples[:, 1], "o", markersize=1.5, color="white", alpha=0.6)
    axes.set_title(f"{target.system.name}, {target.state.temperature_K:g} K")
    try:
        drawing.savefig(path)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} cannot be written: {error}.", fix="Choose a name that ends in .svg or .png."
        ) from None
