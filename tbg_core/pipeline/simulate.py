"""Stage one: simulate a system, block by block, walker by walker."""

from __future__ import annotations

from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tbg_core.config.run_config import RunConfig
from tbg_core.ensemble.recorded_system import system_from_dict, system_to_dict
from tbg_core.pipeline.components import bind_target, build_dynamics, build_system, describe_target
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.workers import run_units
from tbg_core.storage.atomic import read_json, write_json
from tbg_core.storage.shards import ShardStore
from tbg_core.training.data import Frames

if TYPE_CHECKING:
    from tbg_core.contracts.dynamics import Walker
    from tbg_core.pipeline.progress import Progress

FRAMES, SYSTEM = "frames", "system.json"
_STATE, _STATISTICS = "state.", "statistics."


class SimulationUnit(NamedTuple):
    """One block of one walker: what a worker process is asked for."""

    config: str
    folder: str
    walker: int
    block: int


def simulate(config: RunConfig, out: Path, *, resume: bool, workers: int, progress: Progress) -> Path:
    """Simulates ``config.system`` with ``config.dynamics`` on ``config.energy``; returns ``out``.

    Each walker is a chain of blocks; a block is a function of the one before it and of the seed, and is stored
    whole or not at all. Shard ``block * walkers + walker`` of ``out/frames`` holds positions (nm, float32),
    reduced energies, and the state that the next block starts from.

    Args:
        config: Uses system, energy, dynamics, simulation, temperature_K and seed.
        out: Folder of the simulation.
        resume: Complete a simulation begun there.
        workers: Walkers simulated at a time.
        progress: Told of every block.
    """
    settings = config.simulation
    # What cannot be simulated is refused before a folder is claimed for it.
    system = build_system(config)
    described = describe_target(config, system)
    open_folder(out, stage_content(config, "simulate"), resume=resume)
    write_json(out / SYSTEM, system_to_dict(system))
    write_provenance(out, energy=config.energy["name"], target=described)
    store = ShardStore(out / FRAMES)
    blocks = -(-settings.frames // settings.block_frames)
    done = set(store.indices)
    serialised = config.model_dump_json()
    firsts = []
    for walker in range(settings.walkers):
        finished = 0
        while finished < blocks and finished * settings.walkers + walker in done:
            finished += 1
        if finished < blocks:
            firsts.append(SimulationUnit(serialised, str(out), walker, finished))

    def follow(unit: SimulationUnit, _: int) -> SimulationUnit | None:
        return unit._replace(block=unit.block + 1) if unit.block + 1 < blocks else None

    total = settings.walkers * settings.frames
    with progress.stage("simulate", total=total, unit="frames") as bar:
        pending = sum(
            _frames_in(settings.frames, settings.block_frames, block)
            for unit in firsts
            for block in range(unit.block, blocks)
        )
        bar.advance(total - pending, note="resumed" if pending < total else "")
        with ExitStack() as stack:
            stack.callback(_bound_walker.cache_clear)
            for _, frames in run_units(simulate_block, firsts, min(workers, settings.walkers), follow):
                bar.advance(frames)
    store.seal(walkers=settings.walkers, frame_interval_ps=build_dynamics(config).frame_interval_ps)
    return out


def simulate_block(unit: SimulationUnit) -> int:
    """Makes one block and writes its shard; returns its number of frames. Runs in a worker process."""
    config, walker = _bound_walker(unit.config)
    settings = config.simulation
    store = ShardStore(Path(unit.folder) / FRAMES)
    if unit.block == 0:
        state = walker.start(config.seed, unit.walker)
    else:
        arrays = store.read((unit.block - 1) * settings.walkers + unit.walker)
        state = {k.removeprefix(_STATE): v for k, v in arrays.items() if k.startswith(_STATE)}
    frames = _frames_in(settings.frames, settings.block_frames, unit.block)
    block = walker.advance(state, frames, config.seed, unit.walker, unit.block)
    store.write(
        unit.block * settings.walkers + unit.walker,
        {
            "positions": block.positions.astype(np.float32),
            "reduced_energy": block.reduced_energy,
            "walker": np.full(len(block.positions), unit.walker),
            **{_STATE + k: v for k, v in block.state.items()},
            **{_STATISTICS + k: v for k, v in block.statistics.items()},
        },
    )
    return frames


def load_frames(folder: Path) -> Frames:
    """Frames of a simulation folder.

    Raises:
        StorageError: If the folder holds none.
    """
    arrays = ShardStore(Path(folder) / FRAMES).concatenate(["positions", "walker"])
    system = system_from_dict(read_json(Path(folder) / SYSTEM))
    return Frames(system, arrays["positions"], arrays["walker"])


def _frames_in(frames: int, block_frames: int, block: int) -> int:
    return min(block_frames, frames - block * block_frames)


@lru_cache(maxsize=1)
def _bound_walker(config_json: str) -> tuple[RunConfig, Walker]:
    """The engine of this process: set up once, used for every block it is given."""
    config = RunConfig.model_validate_json(config_json)
    target = bind_target(config, build_system(config))
    return config, build_dynamics(config).bind(target)
