"""What a finished run says of itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path


def print_outcome(folder: Path | None) -> None:
    """Prints the figures of ``metrics.json`` and where the report is."""
    if folder is None:  # an ensemble that was made in memory
        return
    path = folder / "metrics.json"
    if path.is_file():
        metrics = json.loads(path.read_text(encoding="utf-8"))
        for line in outcome_lines(metrics):
            typer.echo(line)
    report = folder / "report.html"
    typer.echo(f"report  {report}" if report.is_file() else f"folder  {folder}")


def write_measured(measured: dict[str, Any], out: Path | None, *, as_json: bool) -> bool:
    """Writes what a benchmark measured to ``out`` and prints it as JSON, each where asked for; whether it printed."""
    text = json.dumps(measured, indent=2)
    if out is not None:
        from tbg_core.storage.atomic import write_text

        write_text(out, text + "\n")
    if as_json:
        typer.echo(text)
    return as_json


def outcome_lines(metrics: dict[str, Any]) -> list[str]:
    """The figures that decide whether an ensemble can be used."""
    attempted, valid = metrics.get("attempted"), metrics.get("valid")
    lines = [f"system  {metrics.get('system')}, {metrics.get('model')}, {metrics.get('energy')}"]
    lines.append(f"samples {attempted} attempted, {valid} valid, {metrics.get('dropped')} dropped")
    fraction = metrics.get("ess_fraction")
    share = f" ({100 * fraction:.3g} %)" if isinstance(fraction, (int, float)) else ""
    lines.append(f"ESS     {_number(metrics.get('ess'))}{share}, Pareto k {_number(metrics.get('pareto_k'))}")
    lines.append(f"log Z   {_number(metrics.get('log_z'))} +- {_number(metrics.get('log_z_err'))}")
    if verdict := metrics.get("verdict"):
        lines.append(f"verdict {verdict}")
    return lines


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else "unknown"
