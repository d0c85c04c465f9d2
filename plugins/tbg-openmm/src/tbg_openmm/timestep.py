"""``tbg bench timestep``: what a finite time step does to the mean energy and the kinetic temperature."""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 - typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from tbg_core.cli.application import make_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tbg_openmm.target import OpenMMTarget

EXAMPLES = """[b]Examples[/b]

  tbg bench timestep

  tbg bench timestep --system AA --timesteps 0.5,1,2,3 --time-ps 200 --out timestep.md"""

app = make_app()


class Measured(NamedTuple):
    """What one time step gives.

    Attributes:
        energy: Mean potential energy at the target's temperature, kJ/mol, and its standard error.
        kinetic_K: Mean kinetic temperature of the half steps, and its standard error.
        ns_per_day: Simulated time of all replicas per day of one core.
    """

    energy: tuple[float, float]
    kinetic_K: tuple[float, float]
    ns_per_day: float


def measure(
    target: OpenMMTarget, timestep_fs: float, hydrogen_amu: float | None, *, walkers: int, time_ps: float, seed: int
) -> Measured:
    """Simulates ``walkers`` ladders for ``time_ps`` each; errors are those between walkers."""
    from tbg_openmm.config import EngineDynamicsConfig
    from tbg_openmm.engine_dynamics import EngineDynamics

    config = EngineDynamicsConfig(
        timestep_fs=timestep_fs,
        hydrogen_mass_amu=hydrogen_amu,
        friction_per_ps=3.0,
        frame_interval_ps=0.6,
        exchange_interval_ps=0.12,
        heating_ps=0.6,
        scramble_ps=3.0,
        equilibration_ps=6.0,
    )
    simulation = EngineDynamics(config).bind(target)
    numbers, frames = range(walkers), max(1, round(time_ps / config.frame_interval_ps))
    state = simulation.start(seed, numbers)
    began = time.process_time()
    block = simulation.advance(state, frames, seed, numbers, 0)
    seconds = time.process_time() - began
    energies = block.statistics["rung_energies"][:, :, 0].mean(axis=1)
    kinetic = block.statistics["kinetic_temperature_K"][:, 0]
    simulated = frames * config.frame_interval_ps * block.statistics["rung_energies"].shape[2] * walkers
    return Measured(_mean(energies), _mean(kinetic), simulated / 1000.0 * 86400.0 / seconds)


def table(rows: Iterable[tuple[float, float | None, Measured]]) -> str:
    """Markdown; the energy is compared with that of the first row."""
    lines = [
        "| time step (fs) | hydrogens (amu) | mean U (kJ/mol) | difference (kJ/mol) | kinetic T (K) | ns/day |",
        "|---|---|---|---|---|---|",
    ]
    first: Measured | None = None
    for timestep, hydrogen, found in rows:
        first = first or found
        error = np.hypot(found.energy[1], first.energy[1])
        difference = "" if found is first else f"{found.energy[0] - first.energy[0]:+.2f} ± {error:.2f}"
        lines.append(
            f"| {timestep:g} | {'real' if hydrogen is None else f'{hydrogen:g}'} | {found.energy[0]:.2f} ± "
            f"{found.energy[1]:.2f} | {difference} | {found.kinetic_K[0]:.1f} ± {found.kinetic_K[1]:.1f} | "
            f"{found.ns_per_day:.0f} |"
        )
    return "\n".join(lines)


@app.command(epilog=EXAMPLES)
def timestep(
    system: Annotated[str, typer.Option("--system", metavar="SYSTEM", help="A peptide.")] = "AA",
    timesteps: Annotated[str, typer.Option("--timesteps", metavar="A,B", help="Time steps (fs).")] = "0.5,1,2",
    hydrogen: Annotated[
        float, typer.Option("--hydrogen-mass", metavar="AMU", help="Measured beside the real mass.")
    ] = 3.0,
    walkers: Annotated[int, typer.Option("--walkers", min=2, metavar="N", help="Independent ladders.")] = 48,
    time_ps: Annotated[float, typer.Option("--time-ps", min=1, metavar="PS", help="Time of each.")] = 60.0,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="K")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write the table there.")] = None,
) -> None:
    """Measure the bias of the time step: mean potential energy and kinetic temperature, on one core."""
    import torch

    from tbg_core.contracts.energy import ThermodynamicState
    from tbg_core.storage.atomic import write_text
    from tbg_openmm.backend import OpenMMBackend
    from tbg_openmm.config import OpenMMConfig, PeptideConfig
    from tbg_openmm.peptide import PeptideSource

    torch.set_num_threads(1)
    steps = [float(text) for text in timesteps.split(",")]
    molecule = PeptideSource(PeptideConfig(sequence=system)).build()
    backend = OpenMMBackend(OpenMMConfig())
    rows = []
    with backend.bind(molecule, ThermodynamicState(backend.default_temperature_K(molecule))) as target:
        for step, mass in [(step, mass) for mass in (None, hydrogen) for step in steps]:
            rows.append((step, mass, measure(target, step, mass, walkers=walkers, time_ps=time_ps, seed=seed)))
            typer.echo(table(rows).splitlines()[-1], err=True)
    typer.echo(table(rows))
    if out is not None:
        write_text(out, table(rows) + "\n")


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
