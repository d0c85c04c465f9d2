"""A path-sampling job: first paths, burn-in, production, committors; in blocks that survive an interruption."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from tbg_core.ensemble.recorded_system import system_to_dict
from tbg_core.errors import StorageError
from tbg_core.pipeline.checkpoints import bind_checkpoint, load_proposal
from tbg_core.pipeline.components import bind_target, build_system, describe_target
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.pipeline.workers import single_thread
from tbg_core.randomness import generator
from tbg_core.storage.atomic import read_json, write_json
from tbg_core.storage.shards import ShardStore
from tbg_paths.chains import Adaptation, advance, make_moves
from tbg_paths.committor import committors
from tbg_paths.config import PathSettings, elementary
from tbg_paths.dynamics import make_dynamics
from tbg_paths.initial import first_paths, typical
from tbg_paths.mapping import map_errors, precise
from tbg_paths.regions import parse_region
from tbg_paths.state import Paths, PathSpace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tbg_core.config.run_config import RunConfig
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.pipeline.progress import Progress

CHAINS, COSTS, MAP, SYSTEM, COMMITTOR = "chains", "costs", "map", "system.json", "committor"
RELAXATION: Final = "relaxation"
"""Name of the chains that make the first, straight paths typical, from which all sets of moves then begin."""
_STATE, _STEPS, _TRIALS, _SPEED = "state.", "steps.log", "steps.trials", "steps.speed"
_POINTS: Final = 16
_PATIENCE: Final = 10
"""Trajectories of committors are given up after so many times the length of a path."""
_USED: Final = ("system", "model", "prior", "integrator", "likelihood", "energy", "temperature_K", "seed", "sampling")


@dataclass(frozen=True)
class Group:
    """Chains that use one set of moves.

    Attributes:
        name: As after ``--moves``.
        moves: Its elementary moves.
        burn_in: Moves in which step sizes are adapted.
        steps: Moves after that.
    """

    name: str
    moves: tuple[str, ...]
    burn_in: int
    steps: int

    def blocks(self, size: int) -> Iterator[tuple[range, bool]]:
        """The steps of each block, and whether it is part of the burn-in."""
        for first, last, adapting in ((0, self.burn_in, True), (self.burn_in, self.burn_in + self.steps, False)):
            for start in range(first, last, size):
                yield range(start, min(start + size, last)), adapting


def groups(settings: PathSettings) -> list[Group]:
    """The chains of a job; those that relax the first paths may use every move."""
    wanted = {move for name in settings.moves for move in elementary(name)}
    every = tuple(dict.fromkeys((*elementary("shooting"), *sorted(wanted))))
    return [
        Group(RELAXATION, every, settings.burn_in, 0),
        *(Group(name, elementary(name), settings.burn_in, settings.steps) for name in settings.moves),
    ]


def sample_paths(
    config: RunConfig, settings: PathSettings, checkpoint: Path, out: Path, *, resume: bool, progress: Progress
) -> Path:
    """Samples paths and measures committors; everything lies in ``out``, block by block.

    Args:
        config: Uses system, model, energy, temperature_K and seed.
        settings: What is sampled, and how.
        checkpoint: Folder of the trained proposal.
        out: Folder of the job.
        resume: Complete a job begun there; it may be given more steps.
        progress: Told of every block.

    Raises:
        TbgError: If anything given cannot be used.
    """
    config = bind_checkpoint(config, checkpoint)
    system = build_system(config)
    proposal = load_proposal(config, checkpoint, system, "cpu")
    for name in settings.cvs:
        parse_region(f"{name}=0+-1", system)
    described = describe_target(config, system)
    with bind_target(config, system) as target:
        space = _space(target, settings, proposal)
        data = config.model_dump(mode="json")
        content = {key: data[key] for key in _USED} | {"paths": settings.model_dump(mode="json")}
        open_folder(
            out, content | {"checkpoint": str(checkpoint)}, resume=resume, growing={"paths.steps": settings.block}
        )
        write_json(out / SYSTEM, system_to_dict(system))
        write_provenance(out, energy=config.energy["name"], target=described)
        with single_thread():
            begun = _begin(space, proposal, config, settings, out)
            for group in groups(settings):
                state = _sample_group(space, begun, group, config, settings, out, progress)
                if group.name == RELAXATION:
                    begun, hot = typical(state)
                    if hot:
                        progress.say(f"{hot} first paths were still too hot: these chains begin from other ones.")
                elif any(move.startswith("latent") for move in group.moves):
                    write_json(out / MAP / f"{group.name}.json", map_errors(space, state))
            _measure_committors(space, config, settings, out, progress)
    return out


def _space(target: Any, settings: PathSettings, proposal: Proposal) -> PathSpace:
    latent = any(move.startswith("latent") for name in settings.moves for move in elementary(name))
    start, end = (parse_region(text, target.system) for text in (settings.start, settings.end))
    usable = proposal.has_latent and not proposal.biased
    mapped = precise(proposal) if latent or usable else None
    return PathSpace(target, make_dynamics(settings, target), start, end, mapped)


def _begin(space: PathSpace, proposal: Proposal, config: RunConfig, settings: PathSettings, out: Path) -> Paths:
    """The first paths: made, or read."""
    store = ShardStore(out / CHAINS / "first")
    if not store.indices:
        lines = first_paths(
            space,
            proposal,
            chains=settings.chains,
            frames=settings.frames,
            draws=settings.draws,
            block=config.sampling.block_size,
            seed=config.seed,
        )
        store.write(0, {"paths": lines.numpy()})
    return space.begin(torch.from_numpy(store.read(0)["paths"]))


def _sample_group(
    space: PathSpace,
    begun: Paths,
    group: Group,
    config: RunConfig,
    settings: PathSettings,
    out: Path,
    progress: Progress,
) -> Paths:
    """Makes the blocks that a group lacks; a block is a function of the one before it and of the seed."""
    store, moves = ShardStore(out / CHAINS / group.name), make_moves(group.moves, settings)
    paths, adaptation = begun, Adaptation.begin(moves)
    blocks, total = list(group.blocks(settings.block)), group.burn_in + group.steps
    done = 0
    while done < len(blocks) and done in store.indices:
        done += 1
    if done:
        arrays = store.read(done - 1)
        paths = Paths.of_arrays({k.removeprefix(_STATE): v for k, v in arrays.items() if k.startswith(_STATE)})
        adaptation = Adaptation(*(arrays[key].copy() for key in (_STEPS, _TRIALS, _SPEED)))
    with progress.stage(group.name, total=total, unit="moves") as bar:
        bar.advance(sum(len(steps) for steps, _ in blocks[:done]), note="resumed" if done else "")
        for number, (steps, adapting) in enumerate(blocks[done:], done):
            began = time.process_time()
            paths, record = advance(
                space,
                paths,
                moves,
                adaptation,
                steps=steps,
                stream=group.name,
                seed=config.seed,
                wanted=settings.acceptance if adapting else None,
                store_every=0 if adapting else settings.store_every,
                told=bar.advance,
            )
            seconds = time.process_time() - began
            write_json(out / COSTS / group.name / f"block-{number:06d}.json", {"seconds": seconds})
            state = {_STATE + name: array for name, array in paths.arrays().items()}
            kept = {_STEPS: adaptation.log_step, _TRIALS: adaptation.trials, _SPEED: adaptation.speed}
            kept["burn_in"] = np.array([int(adapting)])
            store.write(number, record.arrays() | state | kept)
            bar.advance(0, note=f"{100 * np.mean(record.accepted):.0f} % accepted")
    return paths


def _measure_committors(
    space: PathSpace, config: RunConfig, settings: PathSettings, out: Path, progress: Progress
) -> None:
    """Committors of frames drawn from all stored paths, outside of A and B; a shard holds a few of them."""
    store, event = ShardStore(out / COMMITTOR), space.target.system.space.event_shape
    missing = [i for i in range(-(-settings.committor_points // _POINTS)) if i not in store.indices]
    if not missing:
        return
    flat = np.concatenate([stored_paths(out, name).reshape(-1, *event) for name in settings.moves]).astype(np.float64)
    between = np.flatnonzero(~(space.start.contains(flat) | space.end.contains(flat)))
    if not len(between):
        progress.say("no stored path has a frame between A and B: no committors are measured.")
        return
    choose = generator(config.seed, space.target.system.key, "paths", "committor")
    chosen = torch.from_numpy(flat[choose.choice(between, size=settings.committor_points)])
    with progress.stage("committor", total=settings.committor_points, unit="frames") as bar:
        bar.advance(settings.committor_points - len(missing) * _POINTS if len(missing) * _POINTS < len(chosen) else 0)
        for i in missing:
            x = chosen[i * _POINTS : (i + 1) * _POINTS]
            found = committors(
                space,
                x,
                shots=settings.committor_shots,
                longest=_PATIENCE * settings.frames,
                seed=config.seed,
                stream=str(i),
            )
            store.write(i, {"states": x.numpy(), **found.arrays()})
            bar.advance(len(x))


def stored_paths(out: Path, name: str) -> np.ndarray:
    """Paths that the chains of a set of moves stored in production [C, S, L, *event], float32.

    Raises:
        StorageError: If there are none.
    """
    store = ShardStore(out / CHAINS / name)
    production = [i for i in store.indices if not store.read(i, ["burn_in"])["burn_in"].any()]
    parts = [store.read(i, ["paths"])["paths"] for i in production]
    if not parts or not sum(len(part) for part in parts):
        raise StorageError(f"{out} holds no paths of the moves {name}.", fix="Complete the job with --resume.")
    return np.asarray(np.concatenate(parts).swapaxes(0, 1))


def seconds_of(out: Path, name: str) -> float:
    """CPU seconds that the chains of a set of moves took."""
    return float(sum(read_json(path)["seconds"] for path in (out / COSTS / name).glob("block-*.json")))
