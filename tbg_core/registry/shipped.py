"""What plugins ship beside their code: checkpoints, recipes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def shipped_entries(package: str) -> list[Path]:
    """Files and folders in a package's folder, ``"package.folder"``, by name; none for an empty name.

    Raises:
        ImportError: If there is no such package or folder.
    """
    if not package:
        return []
    parent, _, folder = package.rpartition(".")
    root = Path(str(files(parent) / folder))
    if not root.is_dir():
        raise ImportError(f"{parent} has no folder {folder}")
    return sorted(root.iterdir())
