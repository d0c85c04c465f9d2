"""Samples every system of a split with one model, several times, and measures all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tbg_core.benchmark.measuring import MEASURED, MeasuringUnit, is_measured, measure_system, run_folder, system_folder
from tbg_core.config.request import make_request
from tbg_core.datasets.verbs import build_dataset, split_of, systems_of
from tbg_core.errors import ConfigError, TbgError
from tbg_core.pipeline.checkpoints import (
    bind_checkpoint,
    find_checkpoint,
    load_proposal,
    outside_training,
    training_mismatch,
)
from tbg_core.pipeline.components import build_executor, build_system, describe_target, target_state
from tbg_core.pipeline.finish import label_run
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.sample import SHARDS, begin_shards, finish_shards, make_shards, sample_shard, samples_in
from tbg_core.pipeline.simulate import FRAMES
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.workers import run_units
from tbg_core.report.reference import check_reference
from tbg_core.storage.atomic import read_json
from tbg_core.storage.checkpoint import Checkpoint, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.config.request import Components, Overrides
    from tbg_core.config.run_config import RunConfig
    from tbg_core.contracts.executor import Executor
    from tbg_core.pipeline.progress import Progress
    from tbg_core.pipeline.sample import SamplingUnit

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
        reference, trajectories = (
            "" if path is None or not (path / FRAMES / "manifest.json").is_file() else str(path) for path in paths
        )
        return reference, trajectories, self.lag, self.points, self.skip

    def check(self, systems: Sequence[str]) -> None:
        """Refuses folders in which none of the systems was simulated.

        Raises:
            ConfigError: Saying how to make one.
        """
        for index, part in enumerate((self.references, self.trajectories)):
            if part is not None and not any(self.of(name)[index] for name in systems):
                raise ConfigError(
                    f"{part} holds no finished simulation of {', '.join(systems[:5])}{', ...' if systems[5:] else ''}.",
                    fix="Give a folder of `tbg datasets make` for this split.",
                )


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
        seeds: Runs of each system; what is begun with few can be resumed with more.
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
    chosen = systems_of(contents, dataset, split, systems)
    comparison.check(chosen)
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
        subjects[name] = _subject(config, checkpoint, comparison.of(name)[:2], device, progress)
    if seen := [name for name, subject in subjects.items() if subject.trained_on]:
        progress.say(f"warning: in the model's training, so not zero-shot: {listed(seen)}.")
    first = subjects[chosen[0]].config
    settings = {k: v for k, v in stage_content(first, "sample").items() if k not in {"system", "seed"}}
    open_folder(out, {"dataset": dataset, "split": split, **settings}, resume=resume)
    write_provenance(out, checkpoints=sorted({str(subject.checkpoint) for subject in subjects.values()}))
    runs = [subject.run(name, seed, out) for name, subject in subjects.items() for seed in range(seeds)]
    executor = build_executor(first)
    failed = _sample(runs, workers, executor, progress, device)
    measuring = [
        MeasuringUnit(str(system_folder(out, name)), seeds, subject.trained_on, *comparison.of(name))
        for name, subject in subjects.items()
        if name not in failed
    ]
    failed |= _measure(measuring, workers, executor, progress)
    if len(failed) == len(chosen):
        raise TbgError(f"no system could be measured: {next(iter(failed.values()))}", fix="Run again with --resume.")
    return [read_json(system_folder(out, name) / MEASURED) for name in chosen if name not in failed]


class _Run(NamedTuple):
    """One run of one system."""

    system: str
    seed: int
    config: RunConfig
    checkpoint: Path
    folder: Path
    target: dict[str, Any]

    @property
    def label(self) -> str:
        """For the bar."""
        return f"{self.system}, seed {self.seed}"


class _Subject(NamedTuple):
    """A system, the model that is to sample it, whether it was trained on it, and what its target says of itself."""

    config: RunConfig
    checkpoint: Path
    trained_on: bool
    target: dict[str, Any]

    def run(self, name: str, seed: int, out: Path) -> _Run:
        """The run with a seed."""
        config = self.config.model_copy(update={"seed": seed})
        return _Run(name, seed, config, self.checkpoint, run_folder(out, name, seed), self.target)


def _subject(
    config: RunConfig, checkpoint: Path | None, simulations: Sequence[str], device: str, progress: Progress
) -> _Subject:
    """Binds a model to a system; what cannot be sampled or compared is refused before anything is computed."""
    system = build_system(config)
    found = checkpoint or find_checkpoint(config, system)
    config, trained_on = bind_checkpoint(config, found), system.key in Checkpoint.open(found).molecules
    load_proposal(config, found, system, device)
    mismatch = training_mismatch(found, config, target_state(config, system))
    for warning in filter(None, (mismatch, outside_training(config, found, system))):
        progress.say(warning)
    described = describe_target(config, system)
    for folder in filter(None, simulations):
        check_reference(Path(folder), system, config.energy["name"], described)
    return _Subject(config, found, trained_on, described)


def _sample(runs: Sequence[_Run], workers: int, executor: Executor, progress: Progress, device: str) -> dict[str, str]:
    """Completes the runs, shard by shard; returns what went wrong, by system."""
    failed: dict[str, str] = {}
    units: dict[SamplingUnit, _Run] = {}
    left: dict[Path, int] = {}
    total = sum(run.config.sampling.num_samples for run in runs)
    with progress.stage("prepare", total=len(runs), unit="runs") as bar:
        for run in runs:
            begun = _begin(run, device)
            units |= dict.fromkeys(begun, run)
            left[run.folder] = len(begun)
            bar.advance(1, note=run.system)
    with progress.stage("sample", total=total, unit="samples") as bar:
        missing = sum(samples_in(unit, run.config) for unit, run in units.items())
        bar.advance(total - missing, note="resumed" if missing < total else "")
        for unit, error in make_shards(try_shard, list(units), workers, executor):
            run = units[unit]
            if error and run.system not in failed:
                failed[run.system] = error
                progress.say(f"{run.system}: {error}")
            left[run.folder] -= not error
            bar.advance(samples_in(unit, run.config), note=run.label)
            if not left[run.folder]:
                _finish(run, device)
    return failed


def _begin(run: _Run, device: str) -> list[SamplingUnit]:
    """Opens the folder of a run; returns the shards that it lacks."""
    if (run.folder / SEALED).is_file():
        return []
    open_folder(run.folder, stage_content(run.config, "sample"), resume=True)
    label_run(run.folder, run.config, target=run.target)
    units = begin_shards(run.config, run.checkpoint, run.folder, device=device, progress=NullProgress())
    if not units:  # ended between the last shard and the seal
        _finish(run, device)
    return units


def _finish(run: _Run, device: str) -> None:
    finish_shards(run.config, run.checkpoint, run.folder, device=device, progress=NullProgress())


def try_shard(unit: SamplingUnit) -> str:
    """Makes one shard; returns what went wrong, or nothing. Runs in a worker process."""
    try:
        sample_shard(unit)
    except TbgError as error:
        return str(error)
    return ""


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


def _at_most(workers: int, units: Sequence[object]) -> int:
    return max(1, min(workers, len(units)))
