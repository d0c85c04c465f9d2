"""How every verb's Typer application is made."""

from __future__ import annotations

import typer


def make_app(help: str | None = None, *, group: bool = False) -> typer.Typer:  # noqa: A002 - typer's name
    """An application for one verb, or for a group of commands."""
    app = typer.Typer(
        help=help,
        add_completion=False,
        no_args_is_help=group,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    if group:
        # Keeps typer from collapsing a group that has a single command.
        app.callback()(_nothing)
    return app


def _nothing() -> None:
    return None
