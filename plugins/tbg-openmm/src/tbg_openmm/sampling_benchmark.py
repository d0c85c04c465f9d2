"""Effective samples for a second of CPU and for an energy: methods compared at equal time, by their errors."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.ensemble.weights import relative_weights
from tbg_core.metrics.basins import basin_of, basin_torsions
from tbg_core.molecule import Molecule
from tbg_core.pipeline.components import bind_target, build_system
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.pipeline.simulate import simulate
from tbg_core.report.reference import load_reference
from tbg_core.storage.atomic import read_json, write_json
from tbg_openmm.sampling_methods import WALKERS, methods, tempering
from tbg_openmm.target import OpenMMTarget

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tbg_core.pipeline.progress import Progress
    from tbg_core.report.reference import Reference
    from tbg_openmm.sampling_methods import Method

ENERGY: Final = "u"


@dataclass(frozen=True)
class Plan:
    """What to compare.

    Attributes:
        system: A peptide.
        seconds: CPU time of a repeat, after compiling and loading.
        repeats: Independent repeats of each method; errors are seen between them.
        methods: Their names; all by default.
        seed: Of the first repeat.
        reference_frames: Frames of each of sixteen walkers of the reference, where none is given.
    """

    system: str = "GF"
    seconds: float = 30.0
    repeats: int = 8
    methods: tuple[str, ...] = ()
    seed: int = 0
    reference_frames: int = 1000


@dataclass(frozen=True)
class Quantity:
    """An average that is known from the reference.

    Attributes:
        mean: Of the reference.
        error: Its standard error.
        variance: Of one independent sample.
    """

    mean: float
    error: float
    variance: float


@dataclass(frozen=True)
class Efficiency:
    """What a method achieves for one quantity.

    Attributes:
        effective: Independent samples that would have its error: the variance of one sample over the mean square error.
        offset: Mean over the repeats less the reference, in standard errors of both.
    """

    effective: float
    offset: float


def measure(plan: Plan, out: Path, progress: Progress, reference: Path | None = None) -> dict[str, Any]:
    """Makes what ``out`` lacks; returns everything as plain data.

    Args:
        plan: What to compare.
        out: Folder of the benchmark; a repeat that is there is not made again.
        progress: Told of every repeat.
        reference: A simulation of the system; by default one by replica exchange is made in ``out``.
    """
    config = resolve(
        make_config({"system": plan.system, "energy": "openmm", "dynamics": "engine"}), needs=("energy", "dynamics")
    )
    molecule = build_system(config)
    chosen = methods(plan.system, plan.methods)
    with bind_target(config, molecule) as target:
        assert isinstance(target, OpenMMTarget)  # noqa: S101 - the energy is named above
        assert isinstance(molecule, Molecule)  # noqa: S101 - which it refuses anything else for
        # Methods and repeats only say which results are wanted: more of them can be asked for later.
        content = {key: value for key, value in asdict(plan).items() if key not in {"methods", "repeats"}}
        content["reference"] = str(reference) if reference else None
        open_folder(out, content, resume=True)
        write_provenance(out, target=target.describe())
        folder = reference or _simulated(plan, target, out / "reference", progress)
        known = quantities_of(molecule, load_reference(folder, molecule, "openmm", target.describe()))
        with progress.stage("bench", total=len(chosen) * plan.repeats, unit="repeats") as bar:
            for repeat in range(plan.repeats):
                for name, method in chosen.items():
                    path = out / "repeats" / f"{name.replace('/', '+')}-{repeat}.json"
                    if not path.is_file():
                        write_json(path, run(method, target, plan.seed + repeat, plan.seconds))
                    bar.advance(1, note=name)
    runs = {
        name: [read_json(out / "repeats" / f"{name.replace('/', '+')}-{k}.json") for k in range(plan.repeats)]
        for name in chosen
    }
    measured = {
        "plan": asdict(plan),
        "reference": {name: asdict(quantity) for name, quantity in known.items()},
        "methods": {name: summary(repeats, known) for name, repeats in runs.items()},
    }
    write_json(out / "measured.json", measured)
    return measured


def run(method: Method, target: OpenMMTarget, seed: int, seconds: float) -> dict[str, Any]:
    """One repeat: as many parts as fit in the time; looking at them is not counted."""
    parts, sampled = [], method(target, seed)
    spent = 0.0
    while spent < seconds:
        began = time.process_time()
        part = next(sampled)
        spent += time.process_time() - began
        parts.append((indicators(target.molecule, part.x, part.u), part.log_w, part.evaluations))
    log_w = np.concatenate([w for _, w, _ in parts])
    w = relative_weights(log_w)
    means = {
        name: float(np.average(np.concatenate([found[name] for found, _, _ in parts]), weights=w))
        for name in parts[0][0]
    }
    evaluations = sum(count for _, _, count in parts)
    finite = {name: mean for name, mean in means.items() if np.isfinite(mean)}
    return {"seed": seed, "seconds": spent, "samples": len(w), "evaluations": evaluations, "means": finite}


def indicators(molecule: Molecule, x: np.ndarray, u: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers of each conformation whose averages are compared: its basins, as 0 or 1, and its energy."""
    found: dict[str, np.ndarray] = {}
    for name, (angle, edges) in basin_torsions(molecule, x).items():
        basin = basin_of(angle, edges)
        for k in range(len(edges) - 1):  # the last one follows from the others
            found[f"{name}/{k}"] = (basin == k).astype(np.float64)
    return {**found, ENERGY: u}


def quantities_of(molecule: Molecule, reference: Reference) -> dict[str, Quantity]:
    """What the reference says, with errors from blocks of frames that count as independent."""
    found = {}
    for name, values in indicators(molecule, reference.positions, reference.reduced_energy).items():
        estimate = reference.expectation(partial(_known, values))
        found[name] = Quantity(estimate.value, estimate.error, float(np.var(values)))
    return found


def _known(values: np.ndarray, _: np.ndarray) -> np.ndarray:
    """What was evaluated already, as an observable of the frames."""
    return values


def summary(repeats: Sequence[dict[str, Any]], known: dict[str, Quantity]) -> dict[str, Any]:
    """One method: its cost, and its efficiency for each quantity."""
    cost = {name: float(np.mean([r[name] for r in repeats])) for name in ("seconds", "samples", "evaluations")}
    found = {
        name: asdict(efficiency(np.array([r["means"][name] for r in repeats]), quantity))
        for name, quantity in known.items()
        if all(name in r["means"] for r in repeats) and quantity.variance > 0
    }
    return {**cost, "quantities": found}


def efficiency(values: np.ndarray, known: Quantity) -> Efficiency:
    """From the estimates of independent repeats [R].

    The mean square error is the variance between repeats, plus the square of the offset from the reference as far as
    it exceeds what both errors explain.
    """
    variance = float(values.var(ddof=1)) if len(values) > 1 else float("nan")
    offset, explained = float(values.mean()) - known.mean, variance / len(values) + known.error**2
    square = variance + max(0.0, offset**2 - explained)
    effective = known.variance / square if square > 0 else float("inf")
    return Efficiency(effective, offset / explained**0.5 if explained > 0 else 0.0)


def _simulated(plan: Plan, target: OpenMMTarget, out: Path, progress: Progress) -> Path:
    """A reference by replica exchange."""
    longer = {"scramble_ps": 10.0, "equilibration_ps": 10.0}
    dynamics = {"name": "engine", **tempering(target.state.temperature_K), **longer}
    settings = {"walkers": WALKERS, "frames": plan.reference_frames, "block_frames": 50}
    raw = {"system": plan.system, "energy": "openmm", "dynamics": dynamics, "simulation": settings, "seed": 1000}
    made = resolve(make_config(raw), needs=("energy", "dynamics"))
    return simulate(made, out, resume=True, workers=1, progress=progress)
