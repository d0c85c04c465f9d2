"""The workflow of active learning: rounds until nothing is uncertain or the energies are spent; resumable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from tbg_coarse.config import CoarseConfig, VectorLangevinConfig
from tbg_coarse.exploration import farthest_points
from tbg_coarse.labels import Labels
from tbg_coarse.langevin import VectorLangevin
from tbg_coarse.proposal import Coarse
from tbg_coarse.rounds import Rounds, State, tensors, weights
from tbg_core.contracts.system import Euclidean
from tbg_core.dynamics.config import LangevinConfig
from tbg_core.dynamics.langevin import Langevin
from tbg_core.errors import ConfigError
from tbg_core.loading import load_target
from tbg_core.randomness import generator
from tbg_core.storage.atomic import sweep
from tbg_core.storage.checkpoint import save_checkpoint
from tbg_core.storage.shards import ShardStore

if TYPE_CHECKING:
    from pathlib import Path

    from tbg_coarse.settings import ExploreSettings
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.system import System
    from tbg_core.pipeline.progress import Progress

ROUNDS, CHECKPOINT = "rounds", "checkpoint"
_EXAMPLE_BATCH: Final = 64


@dataclass(frozen=True)
class Plan:
    """What is to be explored.

    Attributes:
        system: The system.
        cvs: Names of the coarse coordinates.
        energy: Name of the energy, with options where it has any.
        temperature_K: Kelvin; None for that of the energy.
        budget: Energies that may be evaluated.
        seed: The user's seed.
        settings: All other numbers.
        model: Options of the model.
    """

    system: System
    cvs: tuple[str, ...]
    energy: str | dict[str, Any]
    temperature_K: float | None
    budget: int
    seed: int
    settings: ExploreSettings
    model: dict[str, Any]


def explore(plan: Plan, out: Path, progress: Progress) -> list[State]:
    """All rounds, those on disk and those made now; writes the checkpoint after the last.

    Raises:
        ConfigError: If the budget does not reach through one round.
    """
    sweep(out)
    store = ShardStore(out / ROUNDS)
    config = Coarse.adapt(CoarseConfig(cvs=plan.cvs, **plan.model), [plan.system])
    with load_target(plan.system, plan.energy, plan.temperature_K) as target, torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)  # noqa: TID251 - torch initialises weights from its global generator
        proposal = Coarse(config)
        done = [State.of(store.read(i)) for i in store.indices]
        with progress.stage("explore", total=plan.budget, unit="energies") as bar:
            bar.advance(done[-1].spent if done else 0, note="resumed" if done else "")
            if not done:
                state = begin(proposal, target, plan)
                store.write(0, state.arrays())
                done.append(state)
                bar.advance(state.spent, note="short simulation")
            weights(proposal, done[0].model)
            rounds = Rounds(proposal, target, plan.settings, _scale(proposal), plan.seed)
            if done[0].spent + rounds.cost > plan.budget:
                needed = done[0].spent + rounds.cost
                raise ConfigError(
                    f"the short simulation and one round need {needed:,} energies; the budget is {plan.budget:,}.",
                    fix=f"Add --resume and --energy-budget {4 * needed}, or make rounds smaller with -s.",
                )
            while going_on(done, plan, rounds.cost):
                state = rounds.advance(done[-1], len(done))
                store.write(len(done), state.arrays())
                share = state.uncertain[0] / state.uncertain[1]
                bar.advance(state.spent - done[-1].spent, note=f"round {len(done)}: {share:.0%} of walkers lost")
                done.append(state)
        finish(proposal, done[-1], target, plan, out)
    return done


def going_on(done: list[State], plan: Plan, cost: int) -> bool:
    """Whether there is something uncertain, and energies for one more round."""
    last = done[-1]
    return len(last.points) > 0 and last.spent + cost <= plan.budget and len(done) <= plan.settings.most_rounds


def why_stopped(done: list[State], plan: Plan) -> str:
    """In words."""
    if not len(done[-1].points):
        return "no walker met an uncertain point"
    return "rounds" if len(done) > plan.settings.most_rounds else "the energies were spent"


def begin(proposal: Coarse, target: Target, plan: Plan) -> State:
    """Round zero: a short simulation, and training on it by maximum likelihood."""
    s = plan.settings
    before = target.evaluations
    x = short_simulation(target, s, plan.seed)
    spent = target.evaluations - before
    proposal.fit_constants([plan.system], [x])
    parts = proposal.coordinates(plan.system).split(torch.from_numpy(x).double())
    random = generator(plan.seed, target.system.key, "coarse", "example")
    optimizer = torch.optim.Adam(proposal.parameters(), lr=s.learning_rate)
    loss = np.nan
    for _ in range(s.example_steps):
        rows = torch.from_numpy(random.integers(0, len(x), _EXAMPLE_BATCH))
        value = -proposal.fine.log_prob(parts.coarse[rows], parts.rotors[rows], parts.stiff[rows]).mean()
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(proposal.parameters(), s.gradient_clip)
        optimizer.step()
        loss = float(value.detach())
    seen = parts.coarse.numpy()
    scale = _scale(proposal)
    chosen = farthest_points(seen, s.points, scale, periodic=proposal.config.periodic)
    d, nothing = seen.shape[1], np.empty(0)
    return State(
        model=tensors(proposal),
        labels=Labels(np.empty((0, d)), nothing, nothing, nothing, nothing),
        points=seen[chosen],
        visited=np.empty((0, d)),
        low=np.full(d, -np.pi),
        high=np.full(d, np.pi),
        free_energy=nothing,
        deviation=nothing,
        evaluations=np.array([spent, 0, 0]),
        left_out=np.zeros(1, dtype=np.int64),
        loss=np.array([loss]),
        uncertain=np.zeros(2, dtype=np.int64),
        effective=np.zeros(1),
    )


def short_simulation(target: Target, settings: ExploreSettings, seed: int) -> np.ndarray:
    """Frames [n, *event] of one walker, which counts its energies on the target, minimisation included."""
    interval, frames = settings.example_interval_ps, settings.example_frames
    if isinstance(target.system.space, Euclidean):
        step = VectorLangevinConfig()
        vector = VectorLangevin(step.model_copy(update={"frame_interval_ps": step.timestep_fs / 1000}))
        simulation: Any = vector.bind(target)
    else:
        langevin = LangevinConfig(frame_interval_ps=interval, equilibration_ps=2.0)
        simulation = Langevin(langevin).bind(target)
    block = simulation.advance(simulation.start(seed, [0]), frames, seed, [0], 0)
    return np.asarray(block.positions[0])


def finish(proposal: Coarse, last: State, target: Target, plan: Plan, out: Path) -> None:
    """The checkpoint: p(s) from the PMF, fine coordinates from the network."""
    weights(proposal, last.model)
    proposal.grid.span(torch.from_numpy(np.array(last.low)), torch.from_numpy(np.array(last.high)))
    proposal.grid.set_free_energy(np.array(last.free_energy))
    name = plan.energy if isinstance(plan.energy, str) else plan.energy["name"]
    save_checkpoint(
        out / CHECKPOINT,
        proposal,
        {"name": "coarse", **proposal.config.model_dump(mode="json")},
        systems=[{"name": plan.system.name, "key": plan.system.key}],
        data={"energy": name, **target.describe()},
        energy_evaluations=last.spent,
        parameters=sum(p.numel() for p in proposal.parameters()),
    )


def _scale(proposal: Coarse) -> np.ndarray:
    """Unit of length of s: a radian, or the width of the short simulation."""
    extent = proposal.fine.extent.numpy()
    return np.ones_like(extent) if proposal.config.periodic else extent.copy()
