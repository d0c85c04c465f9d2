"""Everything the report is made of, read from the run folder and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.ensemble import Ensemble
from tbg_core.molecule import Molecule
from tbg_core.observables import default_observables, load_observable
from tbg_core.report.clouds import Cloud, clouds_of
from tbg_core.report.reference import Reference, load_reference
from tbg_core.storage.atomic import read_json
from tbg_core.units import Units, energy_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.system import System
    from tbg_core.report.clouds import Measure

MAX_COORDINATES: Final = 4


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
        """``"x:0"`` for the first."""
        return f"x:{self.index}"

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
        chosen: Observables that the reader asked for.
        units: Units that results are shown in.
    """

    folder: Path
    ensemble: Ensemble
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    config: str
    reference: Reference | None
    chosen: tuple[Measure, ...] = ()
    units: Units = Units()  # noqa: RUF009 - an immutable tuple

    @property
    def molecular(self) -> bool:
        """True for molecules, whose energies have a unit."""
        return isinstance(self.ensemble.system, Molecule)

    @property
    def reference_name(self) -> str:
        """What the reference is called in legends and tables."""
        return "reference MD" if self.molecular else "reference"

    @property
    def energy_factor(self) -> float:
        """Size of kT in the unit of energy that is shown."""
        return energy_unit(self.units.energy, self.ensemble.temperature_K)

    @cached_property
    def observables(self) -> tuple[Measure, ...]:
        """What the reader asked for, then what is worth showing of any such system."""
        taken = {getattr(observable, "name", None) for observable in self.chosen}
        usual = usual_observables(self.ensemble.system, self.units)
        return (*self.chosen, *(o for o in usual if getattr(o, "name", None) not in taken))

    @cached_property
    def clouds(self) -> tuple[Cloud, ...]:
        """Proposal, reweighted and reference."""
        return clouds_of(self.ensemble, self.reference, self.reference_name)


def energy_scale(run: RunData) -> tuple[str, float]:
    """Unit of potential energies and the size of kT in it: what was asked for; else kJ/mol for molecules."""
    unit = "kJ/mol" if run.units.energy == "kT" and run.molecular else run.units.energy
    return unit, energy_unit(unit, run.ensemble.temperature_K)


def usual_observables(system: System, units: Units) -> tuple[Measure, ...]:
    """Those that a report shows unasked: torsions of a molecule, the first coordinates of a point in R^d."""
    if found := default_observables(system):
        return tuple(o.to(units.of(o.unit)) for o in found)
    shape = system.space.event_shape
    return tuple(Coordinate(i) for i in range(min(shape[0], MAX_COORDINATES))) if len(shape) == 1 else ()


def chosen_observables(texts: Sequence[str], system: System, units: Units) -> tuple[Measure, ...]:
    """Observables by specification, in the units that are shown.

    Args:
        texts: As :func:`tbg_core.observables.load_observable` reads them; ``"x:1"`` is the second coordinate in R^d.
        system: What was sampled.
        units: The units.

    Raises:
        ConfigError: Naming what is wrong and listing what the system has.
    """
    shape = system.space.event_shape
    coordinates = {Coordinate(i).name: Coordinate(i) for i in range(shape[0])} if len(shape) == 1 else {}
    found: list[Measure] = []
    for text in dict.fromkeys(text.strip() for text in texts):
        if text in coordinates:
            found.append(coordinates[text])
        else:
            observable = load_observable(text, system)
            found.append(observable.to(units.of(observable.unit)))
    return tuple(found)


def load_run(
    folder: Path,
    reference: Path | None = None,
    *,
    observables: Sequence[str] = (),
    units: Sequence[str] = (),
) -> RunData:
    """Reads a run folder.

    Args:
        folder: The run folder.
        reference: A simulation to compare with; by default the one that the provenance names as ``reference``
            (from the run folder, where the path is relative), or else the folder ``reference`` or
            ``simulation`` in the run, where it exists.
        observables: Specifications of what to show beside the usual.
        units: Units to show results in, as :meth:`tbg_core.units.Units.parse` reads them.

    Raises:
        StorageError: If there is no ensemble, or the reference is not of the same distribution.
        ConfigError: If an observable or a unit cannot be understood.
    """
    folder = Path(folder)
    shown = Units.parse(units)
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
        chosen=chosen_observables(observables, ensemble.system, shown),
        units=shown,
    )


def _find_reference(folder: Path, provenance: dict[str, Any]) -> Path | None:
    candidates = [folder / "reference", folder / "simulation"]
    if isinstance(provenance.get("reference"), str):
        candidates.insert(0, folder / provenance["reference"])
    return next((path for path in candidates if path.is_dir()), None)
