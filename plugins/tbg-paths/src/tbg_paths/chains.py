"""Independent Markov chains over paths: Metropolis-Hastings steps, and step sizes that are settled in the burn-in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tbg_core.randomness import SampleKeys, generator
from tbg_paths.latent import LatentAll, LatentFew, LatentGP, speed_of
from tbg_paths.moves import Step
from tbg_paths.shifting import LatentShift, Shift
from tbg_paths.shooting import OneWay, TwoWay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tbg_paths.config import PathSettings
    from tbg_paths.moves import Move
    from tbg_paths.state import Paths, PathSpace

_GAIN: Final = 3.0
_DECAY: Final = 0.6
"""Step sizes are changed by gain / (trials + 1)^decay times the deviation of the acceptance: less and less."""

_LARGEST: Final = np.log(100.0)
"""Of steps: a move that is accepted however far it goes needs no larger one."""


@dataclass
class Adaptation:
    """Step sizes of every move and scale; changed only while ``target`` is given.

    Attributes:
        log_step: Logarithm of each step [moves, scales], unused entries zero.
        trials: Trials of all chains so far, in units of a batch [moves, scales].
        speed: Root-mean-square change of latent coordinates from frame to frame [...], of the paths as they were last;
            one until some are known.
    """

    log_step: np.ndarray
    trials: np.ndarray
    speed: np.ndarray

    @classmethod
    def begin(cls, moves: Sequence[Move]) -> Adaptation:
        """First step sizes."""
        log_step = np.zeros((len(moves), max(len(move.scales) for move in moves)))
        for i, move in enumerate(moves):
            log_step[i] = np.log(move.first_step) if move.first_step else 0.0
        return cls(log_step, np.zeros_like(log_step), np.ones(()))

    def step(self, move: int, scale: int, paths: Paths) -> Step:
        """The step of a move."""
        speed = torch.from_numpy(self.speed).expand(paths.z.shape[2:])
        return Step(float(np.exp(self.log_step[move, scale])), speed)

    def observe(self, paths: Paths) -> None:
        """Takes the speed of the latent coordinates from paths."""
        speed = speed_of(paths)
        self.speed = self.speed if speed is None else speed.numpy()

    def learn(self, move: int, scale: int, acceptance: float, wanted: float) -> None:
        """A larger step after many acceptances, a smaller one after few."""
        self.trials[move, scale] += 1.0
        gain = _GAIN / (self.trials[move, scale] + 1.0) ** _DECAY
        step = self.log_step[move, scale] + gain * (acceptance - wanted)
        self.log_step[move, scale] = min(step, _LARGEST)


@dataclass
class Record:
    """What a block of T moves of C chains did.

    Attributes:
        move: Index of the elementary move [T].
        scale: Index of its scale [T].
        accepted: Whether each chain accepted [T, C].
        energies: Energies with gradient that all chains needed [T].
        mapped: Frames carried through the map [T].
        paths: Stored paths [S, C, L, *event], float32.
    """

    move: list[int] = field(default_factory=list)
    scale: list[int] = field(default_factory=list)
    accepted: list[np.ndarray] = field(default_factory=list)
    energies: list[int] = field(default_factory=list)
    mapped: list[int] = field(default_factory=list)
    paths: list[np.ndarray] = field(default_factory=list)

    def arrays(self) -> dict[str, np.ndarray]:
        """For storage."""
        return {
            "move": np.array(self.move, dtype=np.int64),
            "scale": np.array(self.scale, dtype=np.int64),
            "accepted": np.array(self.accepted, dtype=np.uint8),
            "energies": np.array(self.energies, dtype=np.int64),
            "mapped_frames": np.array(self.mapped, dtype=np.int64),
            "paths": np.array(self.paths, dtype=np.float32),
        }


def make_moves(names: Sequence[str], settings: PathSettings) -> list[Move]:
    """The elementary moves of these names."""
    made: dict[str, Move] = {
        move.name: move
        for move in (
            LatentAll(),
            LatentFew(settings.frames),
            LatentGP(settings.frames),
            LatentShift(settings.frames),
            OneWay(),
            TwoWay(settings.velocity_memory),
            Shift(),
        )
    }
    return [made[name] for name in names]


def advance(
    space: PathSpace,
    paths: Paths,
    moves: Sequence[Move],
    adaptation: Adaptation,
    *,
    steps: range,
    stream: str,
    seed: int,
    wanted: float | None = None,
    store_every: int = 0,
    told: Callable[[], None] = lambda: None,
) -> tuple[Paths, Record]:
    """Makes steps of all chains; the result is a function of the arguments alone.

    Which move is tried depends on the step and not on the paths; a chain whose trial is rejected keeps its path, which
    counts once more.

    Args:
        space: What paths are about.
        paths: Where the chains are.
        moves: The moves.
        adaptation: Step sizes; changed in place where ``wanted`` is given, else frozen.
        steps: Numbers of the steps, which name their random numbers.
        stream: Name of the chains, for the same purpose.
        seed: The user's seed.
        wanted: Acceptance to adapt to.
        store_every: Store the paths after every so many steps; 0 for never.
        told: Called after every step.
    """
    weights = np.array([move.weight for move in moves])
    record, chains = Record(), np.arange(len(paths.x), dtype=np.int64)
    for step in steps:
        name = f"{space.target.system.key}/paths/{stream}/{step}"
        which = generator(seed, name, "move")
        move = int(which.choice(len(moves), p=weights / weights.sum()))
        scale = int(which.choice(len(moves[move].scales), p=moves[move].shares))
        generators = SampleKeys(seed, name, chains).generators()
        energies, mapped = space.target.evaluations, space.mapped_frames
        if wanted is not None and moves[move].latent:
            adaptation.observe(paths)
        paths, trial = moves[move].propose(space, paths, scale, adaptation.step(move, scale, paths), generators)
        log_ratio = torch.nan_to_num(trial.log_ratio, nan=-torch.inf)
        uniform = torch.tensor([g.random() for g in generators], dtype=torch.float64)
        accepted = torch.log(uniform) < log_ratio
        paths = paths.where(accepted, trial.paths)
        if wanted is not None and moves[move].first_step:
            likely = float(torch.exp(log_ratio.clamp(max=0.0)).mean())
            adaptation.learn(move, scale, likely, wanted)
        record.move.append(move)
        record.scale.append(scale)
        record.accepted.append(accepted.numpy())
        record.energies.append(space.target.evaluations - energies)
        record.mapped.append(space.mapped_frames - mapped)
        if store_every and (step + 1) % store_every == 0:
            record.paths.append(paths.x.numpy().astype(np.float32))
        told()
    return paths, record
