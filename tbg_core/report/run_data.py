"""Everything the report is made of, read from the run folder and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.ensemble import Ensemble
from tbg_core.molecule import Molecule
from tbg_core.observables import default_observables
from tbg_core.report.labels import InDegrees
from tbg_core.report.reference import Reference, load_reference
from tbg_core.storage.atomic import read_json

if TYPE_CHECKING:
    from tbg_core.ensemble.ensemble import Observe


@dataclass(frozen=True)
class Coordinate:
    """One coordinate of a state in R^d, as an observable.

    Attributes:
        index: Which one, from 0.
        unit: None for toys.
        period: None.
    """

    index: int
    unit: str = ""
    period: float | None = None

    @property
    def name(self) -> str:
        """``"x1"`` for the first."""
        return f"x{self.index + 1}"

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """The coordinate of each row [n]."""
        return np.asarray(positions[:, self.index], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class RunData:
    """A run.

    Attributes:
        folder: The run folder.
        ensemble: Its samples.
        metrics: ``metrics.json``; computed from the ensemble where there is none.
        provenance: ``provenance.json``.
        config: Text of ``config.yaml``, ``""`` if there is none.
        reference: Frames of a simulation to compare with, if there is one.
    """

    folder: Path
    ensemble: Ensemble
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    config: str
    reference: Reference | None

    @property
    def molecular(self) -> bool:
        """True for molecules, whose energies have a unit."""
        return isinstance(self.ensemble.system, Molecule)

    @property
    def reference_name(self) -> str:
        """What the reference is called in legends and tables."""
        return "reference MD" if self.molecular else "reference"

    @cached_property
    def observables(self) -> tuple[Observe, ...]:
        """Observables worth showing: torsions of a molecule, the first coordinates of a point in R^d."""
        system = self.ensemble.system
        if isinstance(system, Molecule):
            found = default_observables(system)
            return tuple(InDegrees(o) if o.unit == "rad" else o for o in found)
        shape = self.ensemble.positions.shape[1:]
        return tuple(Coordinate(i) for i in range(min(shape[0], 4))) if len(shape) == 1 else ()

    def proposal_weights(self) -> np.ndarray:
        """Equal weights for the valid samples [n]: the proposal as it was drawn."""
        return self.ensemble.valid.astype(np.float64)


def load_run(folder: Path, reference: Path | None = None) -> RunData:
    """Reads a run folder.

    Args:
        folder: The run folder.
        reference: A simulation to compare with; by default the one that the provenance names as ``reference``
            (from the run folder, where the path is relative), or else the folder ``reference`` or
            ``simulation`` in the run, where it exists.

    Raises:
        StorageError: If there is no ensemble, or the reference is not of the same distribution.
    """
    folder = Path(folder)
    ensemble = Ensemble.load(folder)
    metrics_file, config_file = folder / "metrics.json", folder / "config.yaml"
    metrics = read_json(metrics_file) if metrics_file.is_file() else ensemble.metrics()
    source = reference or _find_reference(folder, ensemble.provenance)
    target = {**ensemble.provenance.get("target", {}), "temperature_K": ensemble.temperature_K}
    return RunData(
        folder=folder,
        ensemble=ensemble,
        metrics=metrics,
        provenance=ensemble.provenance,
        config=config_file.read_text(encoding="utf-8") if config_file.is_file() else "",
        reference=None
        if source is None
        else load_reference(source, ensemble.system, ensemble.provenance.get("energy"), target),
    )


def _find_reference(folder: Path, provenance: dict[str, Any]) -> Path | None:
    candidates = [folder / "reference", folder / "simulation"]
    if isinstance(provenance.get("reference"), str):
        candidates.insert(0, folder / provenance["reference"])
    return next((path for path in candidates if path.is_dir()), None)
