"""Stage one: simulate a system, block by block, several walkers at a time."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tbg_core.config.run_config import RunConfig
from tbg_core.ensemble.recorded_system import system_to_dict
from tbg_core.pipeline.components import bind_target, build_dynamics, build_executor, build_system, describe_target
from tbg_core.pipeline.finish import started
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.workers import run_units
from tbg_core.storage.atomic import read_json, write_json
from tbg_core.storage.shards import ShardStore

if TYPE_CHECKING:
    from tbg_core.config.settings import SimulationSettings
    from tbg_core.contracts.dynamics import Simulation
    from tbg_core.pipeline.progress import Progress

FRAMES, COSTS, SYSTEM = "frames", "costs", "system.json"
STATE, STATISTICS = "state.", "statistics."
_SECONDS_PER_DAY: Final = 86400.0


class SimulationUnit(NamedTuple):
    """One block of a group of walkers: what a worker process is asked for."""

    config: str
    folder: str
    group: int
    block: int


class Layout(NamedTuple):
    """Which walkers are moved and stored together, and in which shard.

    Attributes:
        settings: Walkers, frames, frames of a block.
        together: Walkers of a group; the last group may have fewer.
    """

    settings: SimulationSettings
    together: int

    @property
    def groups(self) -> int:
        """Groups of walkers."""
        return -(-self.settings.walkers // self.together)

    @property
    def blocks(self) -> int:
        """Blocks of each walker; the last may be shorter."""
        return -(-self.settings.frames // self.settings.block_frames)

    def walkers(self, group: int) -> range:
        """The walkers of a group."""
        return range(group * self.together, min((group + 1) * self.together, self.settings.walkers))

    def shard(self, group: int, block: int) -> int:
        """Number of the shard of a block of a group; a simulation that is prolonged keeps its shards."""
        return block * self.groups + group

    def frames(self, block: int) -> int:
        """Frames of each walker in a block."""
        return min(self.settings.block_frames, self.settings.frames - block * self.settings.block_frames)


def simulate(config: RunConfig, out: Path, *, resume: bool, workers: int, progress: Progress) -> Path:
    """Simulates ``config.system`` with ``config.dynamics`` on ``config.energy``; returns ``out``.

    Each walker is a chain of blocks; a block is a function of the one before it and of the seed, and is stored
    whole or not at all. A shard of ``out/frames`` holds a block of the walkers that the dynamics moves together:
    positions (nm, float32) and reduced energies, walker by walker, and the state that the next block starts from.
    A finished simulation can be resumed with more frames.

    Args:
        config: Uses system, energy, dynamics, simulation, temperature_K and seed.
        out: Folder of the simulation.
        resume: Complete a simulation begun there.
        workers: Groups of walkers simulated at a time.
        progress: Told of every block.
    """
    settings = config.simulation
    # What cannot be simulated is refused before a folder is claimed for it.
    system = build_system(config)
    described = describe_target(config, system)
    dynamics = build_dynamics(config)
    open_folder(
        out,
        stage_content(config, "simulate"),
        resume=resume,
        growing={"simulation.frames": settings.block_frames},
    )
    write_json(out / SYSTEM, system_to_dict(system))
    write_provenance(out, energy=config.energy["name"], target=described)
    started("simulate", config, out)
    store = ShardStore(out / FRAMES)
    layout = Layout(settings, dynamics.walkers_together)
    done = set(store.indices)
    serialised = config.model_dump_json()
    firsts = []
    for group in range(layout.groups):
        finished = 0
        while finished < layout.blocks and layout.shard(group, finished) in done:
            finished += 1
        if finished < layout.blocks:
            firsts.append(SimulationUnit(serialised, str(out.absolute()), group, finished))

    def follow(unit: SimulationUnit, _: tuple[int, float]) -> SimulationUnit | None:
        return unit._replace(block=unit.block + 1) if unit.block + 1 < layout.blocks else None

    total = settings.walkers * settings.frames
    with progress.stage("simulate", total=total, unit="frames") as bar:
        pending = sum(
            len(layout.walkers(unit.group)) * layout.frames(block)
            for unit in firsts
            for block in range(unit.block, layout.blocks)
        )
        bar.advance(total - pending, note="resumed" if pending < total else "")
        frames, began = 0, time.perf_counter()
        with ExitStack() as stack:
            stack.callback(_bound_simulation.cache_clear)
            workers = min(workers, layout.groups)
            for _, made in run_units(simulate_block, firsts, workers, follow, build_executor(config)):
                frames += made[0]
                speed = ns_per_day(frames, dynamics.frame_interval_ps, time.perf_counter() - began)
                bar.advance(made[0], note=f"{speed:.0f} ns/day")
    store.seal(walkers=settings.walkers, frame_interval_ps=dynamics.frame_interval_ps)
    seconds = simulation_seconds(out)
    write_provenance(
        out,
        cpu_seconds={"simulate": round(seconds, 3)},
        ns_per_core_day=round(ns_per_day(total, dynamics.frame_interval_ps, seconds), 1),
    )
    return out


def simulate_block(unit: SimulationUnit) -> tuple[int, float]:
    """Makes one block and writes its shard; returns frames and CPU seconds. Runs in a worker process."""
    began = time.process_time()
    config, simulation, layout = _bound_simulation(unit.config)
    folder, walkers = Path(unit.folder), layout.walkers(unit.group)
    store = ShardStore(folder / FRAMES)
    if unit.block == 0:
        state = simulation.start(config.seed, walkers)
    else:
        arrays = store.read(layout.shard(unit.group, unit.block - 1))
        state = {k.removeprefix(STATE): v for k, v in arrays.items() if k.startswith(STATE)}
    frames, shard = layout.frames(unit.block), layout.shard(unit.group, unit.block)
    block = simulation.advance(state, frames, config.seed, walkers, unit.block)
    seconds = time.process_time() - began
    # Times lie beside the shard: a shard holds only what is the same every time it is made.
    write_json(folder / COSTS / f"shard-{shard:06d}.json", {"seconds": seconds})
    store.write(
        shard,
        {
            "positions": block.positions.astype(np.float32).reshape(-1, *block.positions.shape[2:]),
            "reduced_energy": block.reduced_energy.reshape(-1),
            "walker": np.repeat(np.array(walkers), frames),
            **{STATE + k: v for k, v in block.state.items()},
            **{STATISTICS + k: v for k, v in block.statistics.items()},
        },
    )
    return len(walkers) * frames, seconds


def simulation_seconds(folder: Path) -> float:
    """CPU seconds that all blocks of a simulation took, whenever they were made."""
    return float(sum(read_json(path)["seconds"] for path in (folder / COSTS).glob("shard-*.json")))


def ns_per_day(frames: int, frame_interval_ps: float, seconds: float) -> float:
    """Simulated time at the target's temperature, over all walkers, per day of computing."""
    return frames * frame_interval_ps / 1000.0 * _SECONDS_PER_DAY / max(seconds, 1e-9)


@lru_cache(maxsize=1)
def _bound_simulation(config_json: str) -> tuple[RunConfig, Simulation, Layout]:
    """The engine of this process: set up once, used for every block it is given."""
    config = RunConfig.model_validate_json(config_json)
    target = bind_target(config, build_system(config))
    dynamics = build_dynamics(config)
    return config, dynamics.bind(target), Layout(config.simulation, dynamics.walkers_together)
