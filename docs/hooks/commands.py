"""The reference of the command line, made from the commands themselves while the site is built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer
from mkdocs.structure.files import File

from tbg_core.cli.main import _application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_PAGE = "reference/commands.md"
_STYLE = re.compile(r"\[/?(?:b|i|bold|italic|dim)\]")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the page."""
    files.append(File.generated(config, _PAGE, content=page()))
    return files


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Commands",
        "",
        "Every command with its options, as `--help` shows them. See also [Command line](../cli.md).",
    ]
    root = typer.main.get_command(_application())
    for words, command in _commands(root, ("tbg",)):
        lines += ["", *_section(words, command)]
    return "\n".join(lines) + "\n"


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Commands that do something, in the order of the help; a group gives those below it."""
    if not hasattr(command, "list_commands"):
        yield words, command
        return
    context = typer.Context(command, info_name=" ".join(words))
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from _commands(inner, (*words, name))


def _section(words: tuple[str, ...], command: Any) -> list[str]:
    context = typer.Context(command, info_name=" ".join(words))
    pieces = (re.sub(r"[{}]|(?<=\[)\[|\](?=\])", "", piece) for piece in command.collect_usage_pieces(context))
    usage = " ".join(("", *pieces))
    lines = [f"## {' '.join(words)}", "", _text(command.help or ""), "", "```text", f"{' '.join(words)}{usage}", "```"]
    rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
    if rows := [row for row in rows if row is not None]:
        lines += ["", "| option | default | meaning |", "|---|---|---|", *rows]
    if examples := _examples(command.epilog or ""):
        lines += ["", "```text", *examples, "```"]
    return lines


def _row(parameter: Any) -> str | None:
    if parameter.param_type_name == "argument":
        names = f"`{(parameter.metavar or parameter.name).strip('[]{}').upper()}`"
    else:
        flag = getattr(parameter, "is_flag", False)
        value = "" if flag else f" {parameter.metavar or parameter.name.upper()}"
        names = "<br>".join(f"`{name}{value}`" for name in sorted(parameter.opts, key=len, reverse=True))
    if "--help" in parameter.opts:
        return None
    shown = getattr(parameter, "show_default", None)
    default = shown if isinstance(shown, str) else parameter.default
    plain = "" if default is None or default is False or default == "" or callable(default) else str(default)
    if parameter.required:
        plain = "required"
    help_text = _text(getattr(parameter, "help", "") or "").replace("|", "\\|")
    return f"| {names} | {plain} | {help_text} |"


def _examples(epilog: str) -> list[str]:
    """The lines of an epilog without its headings and markup; blank lines only separated paragraphs."""
    lines = [_STYLE.sub("", line).replace("[[", "[").replace("]]", "]") for line in epilog.splitlines()]
    return [line.strip() for line in lines if line.strip() and line.strip() not in {"Examples", "Example"}]


def _text(help_text: str) -> str:
    """Help as Markdown: bold words are code."""
    text = re.sub(r"\[b\](.*?)\[/b\]", r"`\1`", help_text)
    return " ".join(_STYLE.sub("", text).split()).replace("<", "&lt;")
