"""The end of a run: metrics, tables, topology, plugins' files and the report."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.metrics import weights_csv
from tbg_core.molecule import Molecule
from tbg_core.molecule.pdb import pdb_text
from tbg_core.pipeline.folder import read_provenance, write_provenance
from tbg_core.registry import RunEvent, get_registry
from tbg_core.storage.atomic import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from tbg_core.config.run_config import RunConfig
    from tbg_core.pipeline.progress import Progress


class StageClock:
    """Wall-clock seconds per stage, added to what earlier, interrupted attempts took.

    Args:
        out: Run folder; the times are kept in its provenance.
    """

    def __init__(self, out: Path) -> None:
        self.out = out

    def measure(self, stage: str) -> _Measurement:
        """A context that adds its duration to ``stage``, even when it ends with an error."""
        return _Measurement(self, stage)

    def add(self, stage: str, seconds: float) -> None:
        """Adds seconds to a stage."""
        known = dict(read_provenance(self.out).get("seconds", {}))
        known[stage] = round(known.get(stage, 0.0) + seconds, 3)
        write_provenance(self.out, seconds=known)


class _Measurement:
    def __init__(self, clock: StageClock, stage: str) -> None:
        self.clock, self.stage = clock, stage

    def __enter__(self) -> None:
        self.began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.clock.add(self.stage, time.monotonic() - self.began)


def finish(verb: str, config: RunConfig, out: Path, clock: StageClock, progress: Progress) -> dict[str, Any]:
    """Writes metrics.json, weights.csv, topology.pdb and report.html, and tells the plugins.

    Returns:
        The metrics.
    """
    from tbg_core.report.build import build_report

    with progress.stage("analyse", total=3, unit="steps") as bar:
        with clock.measure("analyse"):
            ensemble = Ensemble.load(out)
            if isinstance(ensemble.system, Molecule):
                write_text(out / "topology.pdb", _topology(ensemble.system, ensemble.positions))
            write_text(out / "weights.csv", weights_csv(ensemble))
            write_json(out / "metrics.json", ensemble.metrics())
        bar.advance(1, note="metrics")
        metrics = ensemble.metrics()
        get_registry().call("tbg_run_finished", run=RunEvent(verb, out, config, metrics))
        bar.advance(1, note="trajectories")
        with clock.measure("report"):
            build_report(out)
        bar.advance(1, note="report")
    metrics = Ensemble.load(out).metrics()
    write_json(out / "metrics.json", metrics)
    return metrics


def _topology(molecule: Molecule, positions: np.ndarray) -> str:
    return pdb_text(molecule, positions[0] if molecule.reference is None else molecule.reference)


def started(verb: str, config: RunConfig, out: Path) -> None:
    """Tells the plugins that a run begins."""
    get_registry().call("tbg_run_started", run=RunEvent(verb, out, config, {}))


def reference_entry(reference: Path | None) -> dict[str, str]:
    """What the provenance says of the simulation that a report compares with; nothing where there is none."""
    return {} if reference is None else {"reference": str(reference.resolve())}


def label_run(out: Path, config: RunConfig, **entries: Any) -> None:
    """Records what the run is made of, for metrics and report."""
    labels: Mapping[str, Any] = {"model": config.model_label, "energy": config.energy["name"], **entries}
    write_provenance(out, **labels)
