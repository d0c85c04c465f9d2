"""Stage three: draw, fold, evaluate and weight samples in blocks."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from tbg_core.config.run_config import RunConfig
from tbg_core.contracts.sampler import Sampler
from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.reliability import MIN_POPULATIONS
from tbg_core.errors import StorageError
from tbg_core.pipeline.audit import audit_run
from tbg_core.pipeline.checkpoints import bind_checkpoint, load_proposal, outside_training, training_mismatch
from tbg_core.pipeline.components import (
    bind_target,
    build_executor,
    build_sampler,
    build_system,
    describe_target,
    target_state,
)
from tbg_core.pipeline.finish import StageClock, finish, label_run, reference_entry, started
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.workers import run_units, single_thread
from tbg_core.randomness import SampleKeys
from tbg_core.registry import get_registry
from tbg_core.report.reference import check_reference
from tbg_core.storage.atomic import read_json, sha256, write_json
from tbg_core.storage.checkpoint import WEIGHTS, Checkpoint
from tbg_core.storage.shards import ShardStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.executor import Executor
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import System
    from tbg_core.pipeline.progress import Progress

Made = TypeVar("Made")

SHARDS, COSTS, SOURCE, SAMPLER = "ensemble", "costs", "checkpoint.json", "sampler.json"


class SamplingUnit(NamedTuple):
    """One shard of samples: what a worker process is asked for."""

    config: str
    checkpoint: str
    folder: str
    device: str
    shard: int


def sample(
    config: RunConfig,
    checkpoint: Path,
    out: Path,
    *,
    reference: Path | None = None,
    resume: bool,
    device: str = "auto",
    workers: int,
    progress: Progress,
) -> Path:
    """Draws and weights ``sampling.num_samples`` samples of a trained model, and reports; returns ``out``.

    Args:
        config: Uses system, model, integrator, likelihood, energy, sampler, sampling, temperature_K and seed.
        checkpoint: Folder of the trained proposal.
        out: Run folder.
        reference: Simulation of the same distribution that the report compares with.
        resume: Complete a run begun there.
        device: Where the network runs.
        workers: Worker processes.
        progress: Told of every shard.
    """
    config = bind_checkpoint(config, checkpoint)
    system = build_system(config)
    load_proposal(config, checkpoint, system, device)  # what cannot be loaded is refused before a folder is begun
    described = describe_target(config, system)
    if reference is not None:
        check_reference(reference, system, config.energy["name"], described)
    open_folder(out, stage_content(config, "sample"), resume=resume)
    label_run(out, config, target=described, **reference_entry(reference))
    started("sample", config, out)
    clock = StageClock(out)
    with clock.measure("sample"):
        draw(config, checkpoint, out, device=device, workers=workers, progress=progress)
    finish("sample", config, out, clock, progress)
    return out


def draw(config: RunConfig, checkpoint: Path, out: Path, *, device: str, workers: int, progress: Progress) -> None:
    """Makes the shards that ``out`` lacks.

    Samples are computed in blocks, the last one padded, so that sample i always has the same neighbours: the
    result depends neither on how many blocks a shard holds, nor on the number of workers, nor on interruptions.

    Raises:
        StorageError: If samples of another checkpoint are there already.
    """
    system = build_system(config)
    mismatch = training_mismatch(checkpoint, config, target_state(config, system))
    for warning in filter(None, (mismatch, outside_training(config, checkpoint, system), too_few_populations(config))):
        progress.say(warning)
    units = begin_shards(config, checkpoint, out, device=device, progress=progress)
    total, left = config.sampling.num_samples, sum(samples_in(unit, config) for unit in units)
    with progress.stage("sample", total=total, unit="samples") as bar:
        bar.advance(total - left, note="resumed" if left < total else "")
        for unit, (valid, error) in make_shards(sample_shard, units, workers, build_executor(config)):
            made = samples_in(unit, config)
            bar.advance(made, note=f"{valid} of {made} valid, log q error {error:.1e}")
    finish_shards(config, checkpoint, out, device=device, progress=progress)


def too_few_populations(config: RunConfig) -> str:
    """A warning where a sampler whose particles interact gets so few blocks that nothing can have an error."""
    size, total = config.sampling.block_size, config.sampling.num_samples
    blocks = -(-total // size)
    if blocks >= MIN_POPULATIONS or not build_sampler(config).coupled or config.sampler.get("resample_below") == 0:
        return ""
    return (
        f"warning: {total} samples in blocks of {size} are {blocks} independent populations; errors need "
        f"{MIN_POPULATIONS}. Draw more (--num-samples) or in smaller blocks (-s sampling.block_size)."
    )


def begin_shards(
    config: RunConfig, checkpoint: Path, out: Path, *, device: str, progress: Progress
) -> list[SamplingUnit]:
    """Prepares a folder for samples; returns the shards that it lacks.

    Raises:
        StorageError: If samples of another checkpoint are there already.
    """
    _check_source(out, checkpoint)
    Ensemble.record(out, build_system(config))
    count = -(-config.sampling.num_samples // _shard_size(config))
    missing = sorted(set(range(count)) - set(ShardStore(out / SHARDS).indices))
    if missing:
        prepare(config, checkpoint, out, device=device, progress=progress)
    serialised = config.model_dump_json()
    return [SamplingUnit(serialised, str(checkpoint), str(out.absolute()), device, shard) for shard in missing]


def samples_in(unit: SamplingUnit, config: RunConfig) -> int:
    """Samples of a shard; the last one may have fewer."""
    size = _shard_size(config)
    return min(size, config.sampling.num_samples - unit.shard * size)


def make_shards(
    make: Callable[[SamplingUnit], Made], units: Sequence[SamplingUnit], workers: int, executor: Executor
) -> Iterator[tuple[SamplingUnit, Made]]:
    """Makes shards of one or several runs; yields each with what ``make``, e.g. :func:`sample_shard`, returned."""
    try:
        yield from run_units(make, units, min(workers, len(units)), executor=executor)
    finally:
        _bound_parts.cache_clear()


def finish_shards(config: RunConfig, checkpoint: Path, out: Path, *, device: str, progress: Progress) -> None:
    """Seals the complete shards of a run, records what they took, and audits log q."""
    sampling = config.sampling
    ShardStore(out / SHARDS).seal(samples=sampling.num_samples, block_size=sampling.block_size)
    costs = sampling_costs(out)
    write_provenance(
        out,
        checkpoint=str(checkpoint),
        energy_evaluations=costs["energy_evaluations"],
        cpu_seconds={"sample": round(costs["seconds"], 3)},
        biased=_is_biased(config),
        **sampler_statistics(out),
    )
    audit_run(config, checkpoint, out, _stream(build_system(config)), device=device, progress=progress)


def prepare(config: RunConfig, checkpoint: Path, out: Path, *, device: str, progress: Progress) -> None:
    """Lets the sampler settle what all blocks share, once for a run; ``sampler.json`` keeps it for every process."""
    if (out / SAMPLER).is_file() or type(build_sampler(config)).prepare is Sampler.prepare:
        return
    began = time.perf_counter()
    with progress.stage("pilot", total=1, unit="populations") as bar, single_thread():
        _, proposal, target, sampler = _bound_parts(config.model_dump_json(), str(checkpoint), device, str(out))
        settings = sampler.prepare(proposal, target, config.seed, _stream(target.system))
        cost = {"seconds": time.perf_counter() - began, "energy_evaluations": target.evaluations}
        write_json(out / SAMPLER, {"settings": settings, **cost})
        bar.advance(1, note=f"{cost['energy_evaluations']:,} energies")
    _bound_parts.cache_clear()  # workers read the file, and so does this process


def known_source(out: Path) -> Path | None:
    """The checkpoint that the samples in ``out`` were begun with."""
    record = out / SOURCE
    return Path(read_json(record)["checkpoint"]) if record.is_file() else None


def _check_source(out: Path, checkpoint: Path) -> None:
    """Binds the folder to the weights that its samples are drawn from."""
    record, digest = out / SOURCE, sha256(Checkpoint.open(checkpoint).folder / WEIGHTS)
    if record.is_file() and read_json(record)["sha256"] != digest:
        raise StorageError(
            f"{out} holds samples of another checkpoint.", fix="Choose another --out, or give the checkpoint used."
        )
    write_json(record, {"checkpoint": str(checkpoint), "sha256": digest})


def _is_biased(config: RunConfig) -> bool:
    """True if log q is a stochastic estimate."""
    if config.likelihood is None:
        return False
    return "biased" in get_registry().spec("likelihood", config.likelihood["name"]).capabilities


def sample_shard(unit: SamplingUnit) -> tuple[int, float]:
    """Makes and writes one shard; returns valid samples and mean log q error. Runs in a worker process."""
    began = time.perf_counter()
    config, proposal, target, sampler = _bound_parts(unit.config, unit.checkpoint, unit.device, unit.folder)
    before, size = target.evaluations, config.sampling.block_size
    first = unit.shard * _shard_size(config)
    last = min(first + _shard_size(config), config.sampling.num_samples)
    blocks = []
    for start in range(first, last, size):
        keys = SampleKeys.range(config.seed, _stream(target.system), start, start + size)
        blocks.append(sampler.sample_block(proposal, target, keys)[: min(size, last - start)])
    ensemble = Ensemble.concatenate(blocks)
    folder = Path(unit.folder)
    # Times lie beside the shard: a shard holds only what is the same every time it is made.
    write_json(
        folder / COSTS / f"shard-{unit.shard:06d}.json",
        {
            "seconds": time.perf_counter() - began,
            "energy_evaluations": target.evaluations - before,
            "sampler": [block.provenance["sampler"] for block in blocks if "sampler" in block.provenance],
        },
    )
    ShardStore(folder / SHARDS).write(unit.shard, ensemble.arrays())
    error = ensemble.log_q_err[np.isfinite(ensemble.log_q_err)]
    return int(ensemble.valid.sum()), float(error.mean()) if len(error) else float("nan")


def _stream(system: System) -> str:
    """Name of the random stream that samples of a system are drawn from."""
    return f"{system.key}/sample"


def _shard_size(config: RunConfig) -> int:
    return config.sampling.block_size * config.sampling.shard_blocks


@lru_cache(maxsize=1)
def _bound_parts(
    config_json: str, checkpoint: str, device: str, folder: str
) -> tuple[RunConfig, Proposal, Target, Sampler]:
    """Model, target and sampler of this process: set up once, used for every block it is given."""
    config = RunConfig.model_validate_json(config_json)
    system = build_system(config)
    proposal, sampler = load_proposal(config, Path(checkpoint), system, device), build_sampler(config)
    if (settled := Path(folder) / SAMPLER).is_file():
        sampler.restore(read_json(settled)["settings"])
    return config, proposal, bind_target(config, system), sampler


def sampling_costs(out: Path) -> dict[str, float]:
    """CPU seconds and energy evaluations of the pilot and all blocks of a run, whenever they were made."""
    costs = [read_json(path) for path in sorted((out / COSTS).glob("shard-*.json"))]
    if (out / SAMPLER).is_file():
        costs.append(read_json(out / SAMPLER))
    return {
        "seconds": float(sum(cost["seconds"] for cost in costs)),
        "energy_evaluations": int(sum(cost["energy_evaluations"] for cost in costs)),
    }


def sampler_statistics(out: Path) -> dict[str, Any]:
    """What the sampler says of its blocks, averaged over them; nothing where it says nothing."""
    shards = [read_json(path) for path in sorted((out / COSTS).glob("shard-*.json"))]
    blocks = [block for shard in shards for block in shard.get("sampler", [])]
    if not blocks:
        return {}
    names = dict.fromkeys(name for block in blocks for name in block)
    means = {name: float(np.mean([block[name] for block in blocks if name in block])) for name in names}
    return {"sampler": {"blocks": len(blocks), "mean_per_block": means}}
