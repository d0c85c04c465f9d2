"""What several verbs take: folders, systems, checkpoints, somebody to tell of progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tbg_core.registry.references import Reference
from tbg_core.storage.folders import check_inputs

if TYPE_CHECKING:
    from tbg_core.pipeline.progress import Progress

Folder = str | Path
SystemReference = Reference | Path


def as_path(folder: Folder | None) -> Path | None:
    """The path of a folder that may have been left out."""
    return None if folder is None else Path(folder)


def as_checkpoint(folder: Folder | None) -> Path | None:
    """The path of a checkpoint that may have been left out, as it is stored: a run can be resumed from any directory.

    Raises:
        StorageError: If there is no such folder.
    """
    return None if folder is None else check_inputs([Path(folder)], "--checkpoint")[0].resolve()


def as_progress(progress: bool | Progress) -> Progress:  # noqa: FBT001 - passed on
    """Where to report to: as the command line does if True, nowhere if False."""
    if not isinstance(progress, bool):
        return progress
    from tbg_core.cli.progress import make_progress

    return make_progress(quiet=not progress)
