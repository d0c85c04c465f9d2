"""Samples every system of a split with one model, several times, and measures all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tbg_core.benchmark.measuring import MEASURED, MeasuringUnit, is_measured, measure_system, run_folder, system_folder
from tbg_core.config.request import make_request
from tbg_core.config.run_config import RunConfig
from tbg_core.datasets.verbs import build_dataset, split_of
from tbg_core.errors import ConfigError, TbgError
from tbg_core.pipeline.checkpoints import bind_checkpoint, find_checkpoint, load_proposal, outside_training
from tbg_core.pipeline.components import build_executor, build_system, describe_target
from tbg_core.pipeline.finish import label_run
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.sample import SHARDS, draw
from tbg_core.pipeline.simulate import FRAMES
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.workers import run_units
from tbg_core.storage.atomic import read_json
from tbg_core.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.config.request import Components, Overrides
    from tbg_core.contracts.executor import Executor
    from tbg_core.pipeline.progress import Progress

SEALED: Final = f"{SHARDS}/manifest.json"
_TOGETHER: Final = 16
"""Blocks in a shard: what a killed job loses at most. One file for each block would be many files."""


class Comparison(NamedTuple):
    """What samples are compared with.

    Attributes:
        references: Folder of the split's dataset; None: nothing.
        trajectories: Folder of its plain dynamics, for slow components; None: none.
        lag: Of TICA, in frames.
        points: Most points of distances on the torus and between slow components.
        skip: Frames left out at the start of every walker.
    """

    references: Path | None = None
    trajectories: Path | None = None
    lag: int = 100
    points: int = 2000
    skip: int = 20

    def of(self, system: str) -> tuple[str, str, int, int, int]:
        """The same for one system; empty paths where its simulation is missing or not finished."""
        paths = (None if part is None else (part / system).absolute() for part in (self.references, self.trajectories))
        found = ("" if path is None or not (path / FRAMES / "manifest.json").is_file() else str(path) for path in paths)
        return (*found, self.lag, self.points, self.skip)  # type: ignore[return-value]


class SamplingRun(NamedTuple):
    """One run of one system: what a worker process is asked for."""

    system: str
    config: str
    checkpoint: str
    folder: str
    device: str


def benchmark(
    dataset: str,
    split: str,
    out: Path,
    *,
    systems: Sequence[str] | None,
    components: Components,
    options: Overrides,
    checkpoint: Path | None,
    samples: int,
    seeds: int,
    comparison: Comparison,
    resume: bool,
    device: str = "auto",
    workers: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Samples, then measures; returns what ``measured.json`` of each system holds, in the order of the split.

    The run of system S with seed k is a run folder like any other, ``out/S/seedk``.

    Args:
        dataset: Name of the dataset.
        split: Name of its split.
        out: Folder of the benchmark.
        systems: Only these of the split.
        components: Key of the configuration -> component; the energy is that of the dataset's recipe unless named.
        options: Further settings.
        checkpoint: The model; by default the one that ships with it.
        samples: Samples of a run.
        seeds: Runs of each system; may be raised in a benchmark begun earlier.
        comparison: What the samples are compared with.
        resume: Complete what was begun in ``out``.
        device: Where the network runs.
        workers: Runs at a time.
        progress: Told of every run.

    Raises:
        ConfigError: If a name is unknown, or a system is not in the split.
        TbgError: At the end, naming the systems that failed; the others are complete.
    """
    component = build_dataset(dataset)
    contents = split_of(component, dataset, split)
    chosen = list(contents.systems) if systems is None else list(systems)
    if strangers := [name for name in chosen if name not in contents.systems]:
        raise ConfigError(
            f"{', '.join(strangers)} is not in split {split!r} of {dataset}.",
            fix=f"It has {', '.join(contents.systems[:10])}{', ...' if len(contents.systems) > 10 else ''}.",
        )
    recipe = component.recipe(split)
    target = {key: value for key, value in recipe.items() if key in {"energy", "temperature_K"}}
    layer = {**target, "sampling": {"shard_blocks": _TOGETHER}}
    subjects = {}
    for name in chosen:
        config, _ = make_request(
            config=layer,
            overrides=options,
            components={"system": name, **components},
            values={"sampling.num_samples": samples, "seed": 0},
            out=out,
            resume=resume,
            needs=["system", "model", "energy", "sampler"],
            checkpoint=checkpoint,
        )
        subjects[name] = _subject(config, checkpoint, progress)
    first = subjects[chosen[0]].config
    settings = {k: v for k, v in stage_content(first, "sample").items() if k not in {"system", "seed"}}
    content = {"dataset": dataset, "split": split, "seeds": seeds, **settings}
    open_folder(out, content, resume=resume, growing={"seeds": 1})
    write_provenance(out, checkpoints=sorted({str(subject.checkpoint) for subject in subjects.values()}))
    units = [
        SamplingRun(name, subject.seeded(seed), str(subject.checkpoint), str(run_folder(out, name, seed)), device)
        for name, subject in subjects.items()
        for seed in range(seeds)
    ]
    executor = build_executor(first)
    failed = _sample(units, workers, executor, progress)
    measuring = [
        MeasuringUnit(str(system_folder(out, name)), seeds, subject.trained_on, *comparison.of(name))
        for name, subject in subjects.items()
        if name not in failed
    ]
    failed |= _measure(measuring, workers, executor, progress)
    if len(failed) == len(chosen):
        raise TbgError(f"no system could be measured: {next(iter(failed.values()))}", fix="Run again with --resume.")
    return [read_json(system_folder(out, name) / MEASURED) for name in chosen if name not in failed]


class _Subject(NamedTuple):
    """A system with the model that is to sample it, and whether the model was trained on it."""

    config: RunConfig
    checkpoint: Path
    trained_on: bool

    def seeded(self, seed: int) -> str:
        """The configuration of one run, for a worker, which computes it by itself."""
        return self.config.model_copy(update={"seed": seed, "executor": {"name": "local"}}).model_dump_json()


def _subject(config: RunConfig, checkpoint: Path | None, progress: Progress) -> _Subject:
    system = build_system(config)
    found = checkpoint or find_checkpoint(config, system)
    config, trained_on = bind_checkpoint(config, found), system.key in Checkpoint.open(found).molecules
    if trained_on:
        progress.say(f"warning: {system.name} was in the model's training: its figures are not zero-shot.")
    if outside := outside_training(config, found, system):
        progress.say(outside)
    return _Subject(config, found, trained_on)


def _sample(units: Sequence[SamplingRun], workers: int, executor: Executor, progress: Progress) -> dict[str, str]:
    """Completes the runs; returns what went wrong, by system."""
    failed: dict[str, str] = {}
    missing = [unit for unit in units if not (Path(unit.folder) / SEALED).is_file()]
    with progress.stage("sample", total=len(units), unit="runs") as bar:
        bar.advance(len(units) - len(missing), note="resumed" if len(missing) < len(units) else "")
        for unit, error in run_units(complete_run, missing, _at_most(workers, missing), executor=executor):
            if error:
                failed[unit.system] = error
                progress.say(f"{unit.system}: {error}")
            bar.advance(1, note=unit.system)
    return failed


def _measure(units: Sequence[MeasuringUnit], workers: int, executor: Executor, progress: Progress) -> dict[str, str]:
    """Measures the systems that changed; returns what went wrong, by system."""
    failed: dict[str, str] = {}
    missing = [unit for unit in units if not is_measured(unit)]
    with progress.stage("measure", total=len(units), unit="systems") as bar:
        bar.advance(len(units) - len(missing), note="resumed" if len(missing) < len(units) else "")
        for unit, error in run_units(measure_system, missing, _at_most(workers, missing), executor=executor):
            name = Path(unit.folder).name
            if error:
                failed[name] = error
                progress.say(f"{name}: {error}")
            bar.advance(1, note=name)
    return failed


def complete_run(unit: SamplingRun) -> str:
    """Draws what is missing of one run; returns what went wrong, or nothing. Runs in a worker process."""
    config, folder = RunConfig.model_validate_json(unit.config), Path(unit.folder)
    try:
        system = build_system(config)
        load_proposal(config, Path(unit.checkpoint), system, unit.device)
        described = describe_target(config, system)
        open_folder(folder, stage_content(config, "sample"), resume=True)
        label_run(folder, config, target=described)
        draw(config, Path(unit.checkpoint), folder, device=unit.device, workers=1, progress=NullProgress())
    except TbgError as error:
        return str(error)
    return ""


def _at_most(workers: int, units: Sequence[object]) -> int:
    return max(1, min(workers, len(units)))
