"""One system of a benchmark: its runs, measured against the reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tbg_core.config.request import recorded
from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.metrics import dropped_by_reason
from tbg_core.errors import ConfigError, TbgError
from tbg_core.metrics.tica import Tica, tica_features
from tbg_core.metrics.yardstick import Yardstick
from tbg_core.molecule import Molecule
from tbg_core.pipeline.sample import sampling_costs
from tbg_core.pipeline.simulate import FRAMES
from tbg_core.report.reference import Reference, load_reference
from tbg_core.storage.atomic import read_json, sha256, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

MEASURED: Final = "measured.json"
_SEALED: Final = f"{FRAMES}/manifest.json"
_SCHEMA: Final = 2


class MeasuringUnit(NamedTuple):
    """One system: what a worker process is asked for.

    Attributes:
        folder: Of the system; its runs are in it.
        seeds: How many runs.
        trained_on: The model was trained on the system.
        reference: Simulation to compare with; empty without one.
        trajectories: Plain dynamics to find slow components in; empty without any.
        lag: Of TICA, in frames of the trajectories.
        points: Most points of distances on the torus and between slow components.
        skip: Frames left out at the start of every walker of both.
    """

    folder: str
    seeds: int
    trained_on: bool
    reference: str
    trajectories: str
    lag: int
    points: int
    skip: int

    @property
    def runs(self) -> list[Path]:
        """Folders of the runs."""
        folder = Path(self.folder)
        return [run_folder(folder.parent, folder.name, seed) for seed in range(self.seeds)]

    def basis(self) -> dict[str, Any]:
        """What the result depends on, beside the samples: what was measured on the same basis is not measured again."""
        simulations = {name: getattr(self, name) for name in ("reference", "trajectories")}
        hashes = {name: sha256(Path(path) / _SEALED) for name, path in simulations.items() if path}
        samples = [sha256(run / "ensemble/manifest.json") for run in self.runs]
        settings = {k: v for k, v in self._asdict().items() if k not in {"folder", *simulations}}
        return {"schema": _SCHEMA, **settings, **hashes, "samples": samples}


def system_folder(out: Path, system: str) -> Path:
    """Where the runs of a system lie in the folder of a benchmark."""
    return (out / system).absolute()


def run_folder(out: Path, system: str, seed: int) -> Path:
    """Where the run with a seed lies."""
    return system_folder(out, system) / f"seed{seed}"


def measure_system(unit: MeasuringUnit) -> str:
    """Writes ``measured.json`` of a system; returns what went wrong, or nothing. Runs in a worker process."""
    folder = Path(unit.folder)
    try:
        ensembles = [Ensemble.load(run) for run in unit.runs]
        molecule = ensembles[0].system
        yardstick, about = None, None
        absent: dict[str, str] = {}
        if not isinstance(molecule, Molecule):
            absent["reference"] = "only molecules are compared with a reference"
        elif not unit.reference:
            absent["reference"] = "no reference was given"
        else:
            yardstick, about, absent = _yardstick(unit, molecule, ensembles[0].provenance)
        runs = [_figures(e, seed, yardstick) for seed, e in enumerate(ensembles)]
        write_json(
            folder / MEASURED,
            {
                "basis": unit.basis(),
                "system": molecule.name,
                "atoms": molecule.n_atoms if isinstance(molecule, Molecule) else None,
                "trained_on": unit.trained_on,
                "runs": runs,
                "reference": about,
                "absent": absent,
            },
        )
    except TbgError as error:
        return str(error)
    return ""


def is_measured(unit: MeasuringUnit) -> bool:
    """True if ``measured.json`` is there and of the same samples and reference."""
    path = Path(unit.folder) / MEASURED
    return path.is_file() and read_json(path).get("basis") == unit.basis()


def _figures(ensemble: Ensemble, seed: int, yardstick: Yardstick | None) -> dict[str, Any]:
    costs, n = sampling_costs(ensemble.folder or Path()), ensemble.attempted
    return {
        "seed": seed,
        "attempted": n,
        "valid": float(ensemble.valid.mean()),
        "dropped_by_reason": dropped_by_reason(ensemble),
        "ess": ensemble.ess_fraction,
        "ess_trimmed": ensemble.weight_summary.ess_trimmed / n,
        "pareto_k": ensemble.pareto_k,
        "reliable": ensemble.reliability.reliable,
        "log_z": [ensemble.log_z.value, ensemble.log_z.error],
        **costs,
        "distances": {} if yardstick is None else yardstick.measure(ensemble, seed),
    }


def _yardstick(
    unit: MeasuringUnit, molecule: Molecule, made: Mapping[str, Any]
) -> tuple[Yardstick, dict[str, Any], dict[str, str]]:
    """The yardstick, what it is made of, and why a part of it is missing."""
    energy, target = made.get("energy"), made.get("target")
    reference = _without_start(load_reference(Path(unit.reference), molecule, energy, target), unit.skip)
    tica, absent, slow = None, {}, None
    if not unit.trajectories:
        absent["tica_w2"] = "no plain molecular dynamics was given: the time order of the reference is not physical"
    else:
        folder = Path(unit.trajectories)
        plain = _without_start(load_reference(folder, molecule, energy, target), unit.skip)
        try:
            tica = _tica(molecule, folder, plain, unit.lag)
        except ConfigError as error:
            absent["tica_w2"] = str(error)
        else:
            interval = read_json(folder / _SEALED)["frame_interval_ps"]
            slow = {
                "eigenvalues": tica.eigenvalues.tolist(),
                "lag_ps": unit.lag * interval,
                "ns": len(plain) * interval / 1000.0,
            }
    yardstick = Yardstick(molecule, reference, unit.points, tica)
    about = {
        "frames": len(reference),
        "walkers": len(np.unique(reference.walker)),
        "points": yardstick.points,
        "floor": yardstick.floor(),
        "left_handed": [tuple(d) for d in yardstick.differences],
        "tica": slow,
    }
    return yardstick, about, absent


def _tica(molecule: Molecule, folder: Path, plain: Reference, lag: int) -> Tica:
    if (recorded(folder, "dynamics") or {}).get("temperatures_K"):
        raise ConfigError(
            f"{folder} was made by replica exchange, whose frames do not follow each other in time.",
            fix="Make plain dynamics: -s dynamics.temperatures_K=[].",
        )
    walkers = [np.flatnonzero(plain.walker == w) for w in np.unique(plain.walker)]
    features = tica_features(molecule, plain.positions)
    return Tica([features[rows] for rows in walkers], lag)


def _without_start(reference: Reference, skip: int) -> Reference:
    """The frames of each walker but its first ``skip``; all of them where it has no more than twice as many."""
    kept = []
    for walker in np.unique(reference.walker):
        rows = np.flatnonzero(reference.walker == walker)
        kept.append(rows[skip:] if len(rows) > 2 * skip else rows)
    rows = np.concatenate(kept)
    return Reference(reference.positions[rows], reference.reduced_energy[rows], reference.walker[rows])
