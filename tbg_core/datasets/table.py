"""The convergence of a dataset as a table, in the terminal and in documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = ("system", "ns", "frames", "effective", "round trips", "acceptance", "phi > 0", "split-half", "cis")
SAMPLES = ("attempted", "ESS", "k", "independent", "off simulation")
"""Headings of frames that were drawn by weight; the last is the largest difference of a basin's population, and the
largest in standard errors."""


def headings(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Of the columns; more of them where frames were drawn from samples."""
    return HEADINGS + SAMPLES if _sampled(manifest) else HEADINGS


def rows(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row per system; a population is followed by its standard error."""
    sampled = _sampled(manifest)
    return [_row(name, entry) + (_samples(entry) if sampled else ()) for name, entry in manifest["systems"].items()]


def summary(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Figures over all systems: how many, total time, medians, and the share within 5 % between halves."""
    entries = list(manifest["systems"].values())
    if not entries:
        return {"systems": 0}
    phi = [_phi_split(entry) for entry in entries if _phi(entry)]
    every = [entry["split_half"] for entry in entries]
    independent = [e["independent_frames"] for e in entries if "independent_frames" in e]
    found = (
        {
            "drawn_from_samples": len(independent),
            "independent_frames_median": float(np.median(independent)),
            "independent_frames_least": min(independent),
        }
        if independent
        else {}
    )
    return {
        "systems": len(entries),
        "microseconds": round(sum(e["ns"] for e in entries) / 1000, 3),
        "core_hours": round(sum(e.get("core_seconds", 0.0) for e in entries) / 3600, 2),
        "frames_least": min(e["frames"] for e in entries),
        "effective_frames_median": float(np.median([e["effective_frames"] for e in entries])),
        "effective_frames_least": min(e["effective_frames"] for e in entries),
        "round_trips_median": float(np.median([e.get("round_trips", 0) for e in entries])),
        "phi_split_half_median": round(float(np.median(phi)), 4) if phi else 0.0,
        "phi_within_5_percent": round(float(np.mean(np.array(phi) <= 0.05)), 3) if phi else 1.0,
        "all_within_5_percent": round(float(np.mean(np.array(every) <= 0.05)), 3),
        **found,
    }


def markdown(manifest: Mapping[str, Any]) -> str:
    """The table in Markdown."""
    names = headings(manifest)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(manifest)]
    return "\n".join(lines) + "\n"


def print_table(manifest: Mapping[str, Any]) -> None:
    """Prints the table and its summary."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings(manifest), box=None, header_style="bold")
    for row in rows(manifest):
        table.add_row(*row)
    console = Console(highlight=False)
    console.print(table)
    for name, value in summary(manifest).items():
        console.print(f"{name.replace('_', ' ')}: {value:g}")


def _phi(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [p for name, p in entry["populations"].items() if name.startswith("phi")]


def _phi_split(entry: Mapping[str, Any]) -> float:
    return float(max(p["split_half"] for p in _phi(entry)))


def _row(name: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    phi = " ".join(f"{p['share'][0]:.3f}±{p['error'][0]:.3f}" for p in _phi(entry))
    acceptance = entry.get("acceptance", [])
    return (
        name,
        f"{entry['ns']:.2f}",
        str(entry["frames"]),
        str(entry["effective_frames"]),
        str(entry.get("round_trips", "-")),
        f"{min(acceptance):.2f}-{max(acceptance):.2f}" if acceptance else "-",
        phi or "-",
        f"{entry['split_half']:.3f}",
        f"{entry.get('cis', 0.0):.3f}",
    )


def _sampled(manifest: Mapping[str, Any]) -> bool:
    return any("independent_frames" in entry for entry in manifest["systems"].values())


def _samples(entry: Mapping[str, Any]) -> tuple[str, ...]:
    if "independent_frames" not in entry:
        return ("-",) * len(SAMPLES)
    off = entry["against_simulation"]
    return (
        str(entry["attempted"]),
        f"{entry['ess']:.0f}",
        f"{entry['pareto_k']:.2f}",
        str(entry["independent_frames"]),
        f"{off['difference']:.3f} ({off['standard_errors']:.1f})",
    )
