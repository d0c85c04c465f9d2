"""Writing files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from tbg_core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Calls ``write`` on a temporary neighbour of ``path``, flushes it to disk and renames it.

    Raises:
        StorageError: If the folder cannot be written or the disk is full; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        if temporary.stat().st_mode != mode:  # safetensors keeps what it writes from other users
            temporary.chmod(mode)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, SafetensorError) as error:  # a full disk is the one or the other, depending on who writes
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {path}: {getattr(error, 'strerror', None) or error}.",
            fix="Choose another --out folder, or free some space; --resume goes on from what is there.",
        ) from error


def sweep(folder: Path) -> None:
    """Removes temporary files that killed processes left anywhere below ``folder``; those of living ones stay."""
    for leftover in folder.rglob(".*.tmp"):
        owner = leftover.name.rsplit(".", 2)[-2]
        if owner.isdigit() and not _lives(int(owner)):
            with suppress(OSError):
                leftover.unlink()


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, UTF-8."""
    write_atomically(path, lambda temporary: _ignore(temporary.write_text(text, encoding="utf-8")))


def write_json(path: Path, content: Any) -> None:
    """Writes JSON atomically, sorted and indented, so that equal content gives equal bytes."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        StorageError: If the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StorageError(f"{path} does not exist.") from error
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is not readable JSON: {error}.") from error


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Makes a rename durable where the platform lets folders be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lives(process: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere the question would be a signal
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _ignore(_: object) -> None:
    return None
