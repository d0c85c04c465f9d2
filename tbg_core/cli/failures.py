"""What goes wrong, said in one line."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

from tbg_core.errors import TbgError, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED: Final = 130
_RESUMABLE: Final = frozenset({"run", "simulate", "train", "sample", "reweight"})


def report_failure(error: BaseException, arguments: Sequence[str]) -> int:
    """Prints one line about ``error`` to stderr; returns the exit code.

    ``TBG_DEBUG=1`` adds the traceback.
    """
    if os.environ.get("TBG_DEBUG", "") not in {"", "0"}:
        traceback.print_exception(type(error), error, error.__traceback__)
    if isinstance(error, TbgError):
        return _print(str(error), error.exit_code)
    if hasattr(error, "format_message"):  # what typer raises for arguments it cannot parse
        return _usage(error, arguments)
    if is_out_of_memory(error):
        return _print(
            "out of memory. Lower the block (-s sampling.block_size=8) or the batch "
            "(-s training.batch_size=16), use fewer --threads, or raise --max-memory; then add --resume.",
            1,
        )
    text = " ".join(str(error).split()) or "no message"
    return _print(
        f"unexpected {type(error).__name__}: {text} Set TBG_DEBUG=1 to see where, and report it.",
        1,
    )


def report_interrupt(arguments: Sequence[str]) -> int:
    """Says how to go on after Ctrl-C; returns the exit code."""
    verb = _verb(arguments)
    if verb in _RESUMABLE or (verb == "datasets" and "make" in arguments):
        again = list(arguments) if "--resume" in arguments else [*arguments, "--resume"]
        line = f"interrupted. What was finished is kept; go on with: tbg {shlex.join(again)}"
    else:
        line = "interrupted."
    print(f"\n{line}", file=sys.stderr)
    return INTERRUPTED


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: Any = None,  # noqa: ARG001 - the signature of warnings.showwarning
) -> None:
    """Prints our warnings as one line and drops those that libraries address to developers."""
    module = category.__module__
    debugging = os.environ.get("TBG_DEBUG", "") not in {"", "0"}
    if module.startswith("tbg_") or category is UserWarning or debugging:
        where = f" ({filename}:{lineno})" if debugging else ""
        print(f"warning: {' '.join(str(message).split())}{where}", file=file or sys.stderr)


def _usage(error: Any, arguments: Sequence[str]) -> int:
    text = " ".join(str(error.format_message()).split())
    text = text.removesuffix(".")
    verb = _verb(arguments)
    fix = f"See `tbg {verb} --help`." if verb else "See `tbg --help`."
    return _print(f"{text[:1].lower()}{text[1:]}. {fix}", int(getattr(error, "exit_code", 2)) or 2)


def _verb(arguments: Sequence[str]) -> str:
    from tbg_core.cli.main import VERBS

    return next((a for a in arguments if a in VERBS), "")


def _print(text: str, code: int) -> int:
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    return code
