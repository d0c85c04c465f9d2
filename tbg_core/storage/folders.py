"""Folders that a user names: which may be written, which hold a run, which exist."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Final

from tbg_core.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CONFIG: Final = "config.yaml"


def check_folder(out: Path, *, resume: bool) -> None:
    """Makes sure that ``out`` can be written and holds nothing that would be overwritten.

    Raises:
        StorageError: With what to do instead.
    """
    if out.exists() and not out.is_dir():
        raise StorageError(f"{out} is a file, not a folder.", fix="Choose another --out.")
    try:
        occupied = out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir())
        if occupied and not resume:
            raise StorageError(
                f"{out} is not empty.",
                fix="Add --resume to complete the job begun there, or choose another --out.",
            )
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out, prefix=".tbg-"):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot write to {out}: {(error.strerror or str(error)).lower()}.",
            fix="Choose another folder with --out, or change its permissions.",
        ) from None


def check_run(run: Path) -> Path:
    """A folder that holds a run.

    Raises:
        StorageError: If it does not exist or holds none.
    """
    if not run.is_dir():
        raise StorageError(f"{run} is not a folder.", fix="Give the folder of a run, as `tbg run --out` made it.")
    if not (run / CONFIG).is_file():
        raise StorageError(f"{run} holds no run (no {CONFIG}).", fix="Give the folder that `tbg run` printed.")
    if not os.access(run, os.R_OK | os.X_OK):
        raise StorageError(f"{run} cannot be read.", fix="Change its permissions.")
    return run


def check_inputs(paths: Iterable[Path], option: str) -> list[Path]:
    """Existing folders given to ``option``.

    Raises:
        ConfigError: Naming the first that does not exist.
    """
    found = list(paths)
    for path in found:
        if not path.is_dir():
            raise ConfigError(f"{option} {path}: no such folder.", fix="Check the path.")
    return found
