"""``report.html`` and ``metrics.json`` of a path-sampling job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.ensemble.metrics import finite
from tbg_core.report.blocks import Block, Figures, Note, Paragraph, Section, Table
from tbg_core.report.page import Head, render
from tbg_core.storage.atomic import write_json, write_text
from tbg_paths import figures
from tbg_paths.measures import MIXED

if TYPE_CHECKING:
    from pathlib import Path

    from tbg_paths.analysis import Analysis

METRICS, REPORT = "metrics.json", "report.html"
FEW: Final = 50
"""Effective paths below which averages over paths are not to be relied on."""
INEXACT: Final = 0.1
"""Error of log P, nats, from which on latent moves count as not exact."""
FILLED: Final = 0.7
"""Share of a path from which on the mean transition time says that the path is too short for most transitions."""


def write_results(out: Path, analysis: Analysis, about: dict[str, Any], seed: int, created: str = "") -> dict[str, Any]:
    """Writes ``metrics.json`` and ``report.html``; returns the metrics.

    Args:
        out: Folder of the job.
        analysis: What it found.
        about: ``system``, ``model``, ``energy``, ``temperature_K``.
        seed: Of the bootstrap.
        created: When the job was begun.
    """
    metrics: dict[str, Any] = finite({**about, **analysis.metrics(seed)})
    write_json(out / METRICS, metrics)
    sections = [
        Section("moves", "Moves side by side", (_side_by_side(metrics), *_notes(metrics), _by_move(metrics))),
        Section("paths", "Path ensembles", _ensembles(analysis, seed)),
    ]
    if analysis.committor is not None:
        sections.append(Section("committor", "Transition states", _committor(analysis, metrics)))
    sections.append(Section("method", "How it was computed", (Paragraph(_method(analysis)),)))
    write_text(out / REPORT, render(_head(metrics), sections, created))
    return metrics


def _head(metrics: dict[str, Any]) -> Head:
    moves = metrics["moves"]
    mixed = [name for name in moves if moves[name]["mixed"]]
    best = max(mixed, key=lambda name: moves[name]["effective_paths_per_1000_energies"], default=None)
    enough = [name for name in mixed if moves[name]["effective_paths"] >= FEW]
    tiles = tuple(
        (name, f"{entry['effective_paths']:.3g}", f"effective paths; {100 * entry['acceptance']:.3g} % accepted")
        for name, entry in moves.items()
    )
    return Head(
        eyebrow="Transition paths",
        title=f"{metrics['system']}: {metrics['from']} to {metrics['to']}",
        subtitle=f"{metrics['model']} · {metrics['energy']} · {metrics['temperature_K']:g} K · {metrics['dynamics']}, "
        f"{metrics['frames']} frames of {metrics['timestep']:g}",
        reliable=bool(enough),
        label="ENOUGH PATHS" if enough else "TOO FEW PATHS",
        sentence=(f"Most effective paths per energy: {best}. " if best else "No set of moves has mixed. ")
        + (
            f"At least {FEW} effective paths: {', '.join(enough)}."
            if enough
            else f"None has mixed and reached {FEW} effective paths: averages over paths may be far off."
        ),
        tiles=tiles,
    )


def _side_by_side(metrics: dict[str, Any]) -> Table:
    exact = metrics["exact_mean_transition_time"]
    rows = tuple(
        (
            name,
            f"{100 * m['acceptance']:.3g} %",
            f"{m['moves_per_chain']:,} x {metrics['chains']}",
            f"{m['energy_evaluations']:,}",
            f"{m['frames_mapped']:,}",
            _pm(m["effective_paths"], m["effective_paths_err"]) if m["mixed"] else "not mixed",
            _rate(m),
            "unknown" if m["r_hat"] is None else f"{m['r_hat']:.3f}",
            f"{m['cpu_seconds']:.3g}",
            _pm(m["mean_transition_time"], m["mean_transition_time_err"]),
        )
        for name, m in metrics["moves"].items()
    )
    return Table(
        (
            "moves",
            "accepted",
            "moves x chains",
            "energies",
            "frames mapped",
            "effective paths",
            "per 1000 energies",
            "R-hat",
            "CPU s",
            "transition time",
        ),
        rows,
        "Production only (CPU seconds with burn-in). Effective paths: the least of the measures of a path (transition "
        "time, last frame in A, observables at three frames), from their autocorrelation within and between chains; "
        f"chains with fewer than {MIXED:g} each have not mixed, and their rate is no more than a bound; "
        "errors by leaving out one chain at a time. R-hat: the largest of the same measures, near 1 where chains and "
        "their halves agree. Transition time: from the last frame in A to the first in B; errors by the bootstrap over "
        "whole chains." + (f" Exact: {exact:.3g}." if exact is not None else ""),
    )


def _by_move(metrics: dict[str, Any]) -> Table:
    rows = []
    for name, m in metrics["moves"].items():
        for move, entry in m["by_move"].items():
            for scale in entry.get("scales", [None]):
                size = "" if scale is None else f"{scale['frames']:g}"
                step = "" if scale is None or scale["step"] is None else f"{scale['step']:.3g}"
                acceptance = (entry if scale is None else scale)["acceptance"]
                share = "not tried" if acceptance is None else f"{100 * acceptance:.3g} %"
                rows.append((f"{name}: {move}", size, step, share))
    return Table(
        ("move", "frames", "step", "accepted"),
        tuple(rows),
        "Step sizes as the burn-in left them (in units of the latent space; of latent-few: s, of which a share of "
        "1 - 1/√(1 + s²) of the old frames is forgotten); frozen since. Frames: length of the window that moves, of "
        "the correlation along the path, or of what is made anew at an end; 0 for all frames independently.",
    )


def _notes(metrics: dict[str, Any]) -> tuple[Block, ...]:
    few = [f"{name} ({m['effective_paths']:.2g})" for name, m in metrics["moves"].items() if m["effective_paths"] < FEW]
    found: list[Block] = [
        Note(f"{m['chains_off_the_model']} chains of {name} hold a frame outside of the model's support.")
        for name, m in metrics["moves"].items()
        if m.get("chains_off_the_model")
    ]
    if few:
        found.append(Note(f"Fewer than {FEW} effective paths: {', '.join(few)}. Their averages may be far off."))
    found += [
        Note(
            f"The map of {name} to latent space and back changes log P by {m['log_path_rms']:.2g} nats: its moves are "
            "not accepted exactly. Take a tighter --integrator, or shooting."
        )
        for name, m in metrics["moves"].items()
        if (m.get("log_path_rms") or 0.0) > INEXACT
    ]
    length = metrics["frames"] * metrics["timestep"]
    full = [name for name, m in metrics["moves"].items() if m["mean_transition_time"] > FILLED * length]
    if full:
        found.append(
            Note(
                f"Transitions of {', '.join(full)} take more than {100 * FILLED:.0f} % of the path: only fast ones "
                "are seen. Raise --frames, lower --friction, or widen A and B."
            )
        )
    times = [(m["mean_transition_time"], m["mean_transition_time_err"]) for m in metrics["moves"].values()]
    for i, (a, error) in enumerate(times):
        for b, other in times[:i]:
            if abs(a - b) > 4.0 * np.hypot(error, other):
                found.append(Note("The sets of moves disagree about the mean transition time: one has not mixed."))
                return tuple(found)
    return tuple(found)


def _ensembles(analysis: Analysis, seed: int) -> tuple[Block, ...]:
    planes = tuple(figures.plane(analysis, name) for name in analysis.ensembles)
    return (
        Figures(
            planes,
            "Density of the frames of all paths, logarithmic, dark where there are many; circles: frames whose "
            "committor is one half within its error.",
            wide=True,
            title="Where paths go",
        ),
        Figures(
            (figures.transition_times(analysis, seed), figures.middle(analysis, seed)),
            "Bars: one standard error, by the bootstrap over chains." + _exactly(analysis),
            wide=True,
        ),
    )


def _exactly(analysis: Analysis) -> str:
    return " Dashed: exact, by products of transition matrices." if analysis.exact is not None else ""


def _committor(analysis: Analysis, metrics: dict[str, Any]) -> tuple[Block, ...]:
    found = metrics["committor"]
    text = (
        f"{found['frames']} frames of paths, outside of A and B, each followed by {analysis.settings.committor_shots} "
        f"trajectories until they reached a state: {found['at_half']} have a committor of one half (between 0.35 and "
        f"0.65 as measured), {found['undecided']} had none that arrived. {found['energy_evaluations']:,} energies."
    )
    for name, there in found.get("transition_states", {}).items():
        text += f" There {name} is {there['mean']:.3g} on average, and spreads by {there['spread']:.2g}."
    if "rms_deviation_from_exact" in found:
        text += (
            f" From the exact committor they are {found['rms_deviation_from_exact']:.3f} away (rms); "
            f"{found['rms_expected_of_binomial']:.3f} is what the number of trajectories leads one to expect."
        )
    along = range(1 if analysis.settings.cvs[0] == analysis.settings.cvs[1] else 2)
    drawn = tuple(figures.committor(analysis, i) for i in along)
    return (Paragraph(text), Figures(drawn, "Each point is a frame of a path; coloured: about one half.", wide=True))


def _method(analysis: Analysis) -> str:
    settings = analysis.settings
    inertia = (
        "Langevin dynamics with inertia; the velocity at a frame is the difference of two positions over the time "
        "step, and the first one is integrated out"
        if settings.dynamics == "langevin"
        else "overdamped Langevin dynamics by Euler-Maruyama"
    )
    errors = [
        f"{entry['log_det_rms']:.1g} and {entry['log_path_rms']:.1g} ({name})"
        for name, entry in analysis.maps.items()
        if entry["log_det_rms"] is not None and entry["log_path_rms"] is not None
    ]
    volumes = (
        f" Errors of the map there and back, of a frame's volume and of a path's log P, nats: {', '.join(errors)}."
        if errors
        else ""
    )
    return (
        f"The ensemble of paths of {settings.frames} frames that begin in A and end in B, with the Boltzmann density "
        f"of the first frame times the transition densities of {inertia}. Every trial is accepted by the exact "
        "Metropolis-Hastings ratio: for latent moves with the change of volume of every frame that moved, for "
        "shooting with the densities of both directions of time. A rejected trial counts the current path once more. "
        f"Step sizes were adapted in the first {settings.burn_in} moves and frozen since.{volumes}"
    )


def _rate(m: dict[str, Any]) -> str:
    """Effective paths per 1000 energies, a bound where the chains have not mixed."""
    value, error = m["effective_paths_per_1000_energies"], m["effective_paths_per_1000_energies_err"]
    return _pm(value, error) if m["mixed"] else f"at most {value:.2g}"


def _pm(value: float | None, error: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.3g}" if error is None else f"{value:.3g} ± {error:.1g}"
