"""Makes a dataset: one simulation per system, each resumable, one after the other, so that finished ones are whole."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.config.run_config import RunConfig
from tbg_core.datasets.convergence import convergence
from tbg_core.datasets.folder import MANIFEST, SCHEMA
from tbg_core.errors import ConfigError, TbgError
from tbg_core.pipeline.components import build_dynamics, build_executor
from tbg_core.pipeline.folder import open_folder, read_provenance, write_provenance
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.simulate import FRAMES, SYSTEM, ns_per_day, simulate
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.workers import run_units
from tbg_core.storage.atomic import read_json, sha256, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.contracts.dataset import Split
    from tbg_core.pipeline.progress import Progress

CONVERGENCE: Final = "convergence.json"


class SystemUnit(NamedTuple):
    """One system of a dataset: what a worker process is asked for."""

    name: str
    config: str
    folder: str


class Outcome(NamedTuple):
    """What became of a system: frames made now, seconds, and the error that ended it, if one did."""

    frames: int
    seconds: float
    error: str


def make_dataset(
    dataset: str,
    split: str,
    contents: Split,
    recipe: dict[str, Any],
    out: Path,
    *,
    systems: Sequence[str],
    resume: bool,
    workers: int,
    progress: Progress,
) -> Path:
    """Simulates the systems of a split, one folder each; returns ``out``.

    Stored block by block: a job that was killed goes on where it was, and a finished one can be resumed with more
    frames. The manifest is written anew after every system.

    Args:
        dataset: Name of the dataset.
        split: Name of the split.
        contents: The split.
        recipe: Run configuration, overrides applied; of a system it may have options, without its name.
        out: Folder of the dataset.
        systems: Those to simulate now, all of them in the split.
        resume: Complete or prolong what is there.
        workers: Systems simulated at a time.
        progress: Told of every system.

    Raises:
        ConfigError: If the recipe names a system.
        TbgError: At the end, naming the systems whose simulation failed; the others are complete.
    """
    chosen = recipe.get("system", {})
    if not isinstance(chosen, Mapping) or "name" in chosen:
        raise ConfigError("A dataset has the systems of its split.", fix="Choose some of them with --systems A,B.")
    configs = {
        name: resolve(make_config({**recipe, "system": {**chosen, "name": name}}), ["system", "energy", "dynamics"])
        for name in systems
    }
    first = next(iter(configs.values()))
    settings = {k: v for k, v in stage_content(first, "simulate").items() if k != "system"}
    open_folder(
        out,
        {"dataset": dataset, "split": split, **settings, **({"system": dict(chosen)} if chosen else {})},
        resume=resume,
        growing={"simulation.frames": first.simulation.block_frames},
    )
    write_provenance(out)
    made = {"dataset": dataset, "split": split, "training": contents.training, "source": contents.source}
    each = first.simulation.walkers * first.simulation.frames
    units, done = [], 0
    for name, config in configs.items():
        if _frames(out / name) < each:
            # A worker simulates its system by itself.
            alone = config.model_copy(update={"executor": {"name": "local"}})
            units.append(SystemUnit(name, alone.model_dump_json(), str((out / name).absolute())))
        else:
            done += each
    failed: dict[str, str] = {}
    interval = build_dynamics(first).frame_interval_ps
    with progress.stage("simulate", total=each * len(configs), unit="frames") as bar:
        bar.advance(done + sum(_frames(Path(unit.folder)) for unit in units), note="resumed" if done else "")
        _write_manifest(out, made, contents.systems)
        frames, began = 0, time.perf_counter()
        workers = max(1, min(workers, len(units)))
        for unit, outcome in run_units(complete_system, units, workers, executor=build_executor(first)):
            if outcome.error:
                failed[unit.name] = outcome.error
                progress.say(f"{unit.name}: {outcome.error}")
                continue
            _write_manifest(out, made, contents.systems)
            frames += outcome.frames
            speed = ns_per_day(frames, interval, time.perf_counter() - began)
            bar.advance(outcome.frames, note=f"{unit.name}, {speed:.0f} ns/day")
    if failed:
        raise TbgError(
            f"{len(failed)} of {len(configs)} systems failed: {', '.join(list(failed)[:5])} "
            f"({next(iter(failed.values()))})",
            fix="The others are complete. Run again with --resume to try these once more.",
        )
    return out


def complete_system(unit: SystemUnit) -> Outcome:
    """Simulates what is missing of one system, and measures its convergence. Runs in a worker process."""
    began = time.perf_counter()
    folder, config = Path(unit.folder), RunConfig.model_validate_json(unit.config)
    before = _frames(folder)
    try:
        simulate(config, folder, resume=True, workers=1, progress=NullProgress())
        write_json(folder / CONVERGENCE, convergence(folder))
    except TbgError as error:
        return Outcome(0, time.perf_counter() - began, str(error))
    return Outcome(_frames(folder) - before, time.perf_counter() - began, "")


def _frames(folder: Path) -> int:
    """Frames of a simulation whose convergence was measured; 0 before."""
    path = folder / CONVERGENCE
    return int(read_json(path)["frames"]) if path.is_file() else 0


def _write_manifest(out: Path, made: dict[str, Any], order: Sequence[str]) -> None:
    systems = {name: entry for name in order if (entry := _entry(out / name))}
    source = read_provenance(out / next(iter(systems))) if systems else {}
    write_json(
        out / MANIFEST,
        {
            "schema": SCHEMA,
            "packed": False,
            **made,
            "energy": source.get("energy"),
            "target": source.get("target", {}),
            "versions": read_provenance(out).get("versions", {}),
            "systems": systems,
        },
    )


def _entry(folder: Path) -> dict[str, Any]:
    """What the manifest says of a system; empty while it is not complete."""
    if not (folder / CONVERGENCE).is_file():
        return {}
    return {
        "key": json.loads((folder / SYSTEM).read_text(encoding="utf-8")).get("molecule", {}).get("key"),
        # The manifest of the shards holds the sha256 of each.
        "sha256": sha256(folder / FRAMES / "manifest.json"),
        **read_json(folder / CONVERGENCE),
    }
