"""Which OpenMM a run was computed with."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING

from tbg_core.errors import ReliabilityWarning
from tbg_core.pipeline.folder import read_provenance, write_provenance

if TYPE_CHECKING:
    from pathlib import Path


def record_version(folder: Path) -> None:
    """Writes the version into the provenance of a run, once; warns if the run was begun with another one."""
    now = version("openmm")
    versions = read_provenance(folder).get("versions", {})
    begun = versions.get("openmm")
    if begun is None:
        write_provenance(folder, versions={**versions, "openmm": now})
    elif begun != now:
        warnings.warn(
            f"this run was begun with OpenMM {begun} and goes on with {now}: energies may differ in their last digits.",
            ReliabilityWarning,
            stacklevel=2,
        )
