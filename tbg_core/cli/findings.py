"""Findings of checks as a table: what is wrong, where, and how to repair it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tbg_core.registry.checking import BAD, NOTE, OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.registry.checking import Finding

_COLOURS: Final = {OK: "green", NOTE: "yellow", BAD: "red"}
_SHOWN: Final = {OK: "pass", NOTE: "note", BAD: "FAIL"}


def print_findings(findings: Sequence[Finding], *, verbose: bool = False, tracebacks: bool = False) -> None:
    """Prints one row per finding; those that are ok are counted only, unless ``verbose``."""
    console = Console(highlight=False)
    table = Table("", "of", "check", "what was found, and what to do", box=None, header_style="bold")
    for subject in dict.fromkeys(f.subject for f in findings):
        own = [f for f in findings if f.subject == subject]
        good = sum(f.state == OK for f in own)
        shown = own if verbose else [f for f in own if f.state != OK]
        table.add_row(
            f"[green]{_SHOWN[OK]}[/]" if good else "", f"[bold]{escape(subject)}[/bold]", f"{good} of {len(own)}"
        )
        for f in shown:
            where = f" [dim]{escape(f.place)}[/dim]" if f.place and f.state == BAD else ""
            fix = f"\n{escape(f.fix)}" if f.fix else ""
            table.add_row(
                f"[{_COLOURS[f.state]}]{_SHOWN[f.state]}[/]", "", escape(f.check), f"{escape(f.found)}{where}{fix}"
            )
    console.print(table)
    if tracebacks:
        for f in findings:
            if f.traceback and f.state == BAD:
                console.print(f"\n{f.subject}, {f.check}:", style="bold", markup=False)
                console.print(f.traceback, markup=False, soft_wrap=True)
