"""What active learning knows after each round, and how one round follows from the one before it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tbg_coarse.exploration import Grid, broadened, farthest_points, walk
from tbg_coarse.labels import Labels, label
from tbg_coarse.pmf import PotentialOfMeanForce
from tbg_core.objectives.reverse_kl import reverse_kl
from tbg_core.randomness import SampleKeys, generator

if TYPE_CHECKING:
    from tbg_coarse.proposal import Coarse
    from tbg_coarse.settings import ExploreSettings
    from tbg_core.contracts.energy import Target

_LABEL, _MODEL = "label.", "model."


@dataclass(frozen=True)
class State:
    """All of it, as arrays: a round is one file.

    Attributes:
        model: Weights of the proposal.
        labels: All labels so far.
        points: Where to train and to label next [p, d]; empty when nothing is uncertain.
        visited: Centres of what was trained at before [v, d], for replay.
        low: Lower ends of the grid of F [d].
        high: Upper ends.
        free_energy: F on the grid [cells^d], kT; empty before the first labels.
        deviation: Its standard deviation.
        evaluations: Energies spent on [the example, training, labels], so far.
        left_out: Draws that training left out for their energy, so far [1].
        loss: <u + log q> over the last training [1].
        uncertain: Walkers that met an uncertain cell, and walkers [2].
        effective: Median share of effective draws in the labels of the round [1].
    """

    model: dict[str, np.ndarray]
    labels: Labels
    points: np.ndarray
    visited: np.ndarray
    low: np.ndarray
    high: np.ndarray
    free_energy: np.ndarray
    deviation: np.ndarray
    evaluations: np.ndarray
    left_out: np.ndarray
    loss: np.ndarray
    uncertain: np.ndarray
    effective: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """For a shard."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in {"model", "labels"}}
        return {
            **{_MODEL + name: array for name, array in self.model.items()},
            **{_LABEL + f.name: getattr(self.labels, f.name) for f in fields(self.labels)},
            **own,
        }

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> State:
        """From a shard."""
        own: dict[str, Any] = {f.name: arrays[f.name] for f in fields(cls) if f.name in arrays}
        parts = {
            prefix: {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            for prefix in (_MODEL, _LABEL)
        }
        return cls(model=parts[_MODEL], labels=Labels(**parts[_LABEL]), **own)

    @property
    def spent(self) -> int:
        """Energies so far."""
        return int(self.evaluations.sum())


class Rounds:
    """Makes rounds; each is a function of the one before it, its number and the seed.

    Args:
        proposal: Holds the weights of the round in work.
        target: The distribution.
        settings: All numbers.
        scale: Unit of length along each coarse coordinate [d].
        seed: The user's seed.
    """

    def __init__(
        self, proposal: Coarse, target: Target, settings: ExploreSettings, scale: np.ndarray, seed: int
    ) -> None:
        self.proposal, self.target, self.settings = proposal, target, settings
        self.scale, self.seed = scale, seed
        self.periodic = proposal.config.periodic

    @property
    def cost(self) -> int:
        """Most energies that a round takes."""
        s = self.settings
        return s.steps * s.batch + s.points * (1 + s.broaden) * s.draws

    def advance(self, state: State, number: int) -> State:
        """The round after ``state``: train by energy, label, fit F, walk."""
        s = self.settings
        random = generator(self.seed, self.target.system.key, "coarse", number)
        weights(self.proposal, state.model)
        before = self.target.evaluations
        # Where the last labels were good, the density carries over to new points, and little training will do.
        steps = s.steps if state.effective[0] < s.enough else -(-s.steps // 5)
        loss, left_out = self._train(state, number, steps, random)
        trained = self.target.evaluations
        around = broadened(state.points, s.broaden, s.reach * self.scale, random, periodic=self.periodic)
        where = np.concatenate([state.points, around])
        keys = SampleKeys.range(self.seed, f"{self.target.system.key}/coarse/label/{number}", 0, len(where) * s.draws)
        made = label(self.proposal, self.target, where, s.draws, keys)
        labels = state.labels.join(made)
        spent = np.array([0, trained - before, self.target.evaluations - trained])
        known = replace(
            state,
            model=tensors(self.proposal),
            labels=labels,
            visited=np.concatenate([state.visited, state.points]),
            evaluations=state.evaluations + spent,
            left_out=state.left_out + left_out,
            loss=np.array([loss]),
            effective=np.array([float(np.median(made.ess)) / s.draws]),
        )
        return self._explored(known, random)

    def _train(self, state: State, number: int, steps: int, random: np.random.Generator) -> tuple[float, int]:
        """Reverse Kullback-Leibler divergence at points near the new ones and, for a share, near old ones."""
        s = self.settings
        optimizer = torch.optim.Adam(self.proposal.parameters(), lr=s.learning_rate)
        losses, left_out = [], 0
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = s.learning_rate * min(1.0, 1.25 - step / steps, (step + 1) / 10)
            old = round(s.replay * s.batch) if len(state.visited) else 0
            centres = np.concatenate(
                [
                    pool[random.integers(0, len(pool), n)]
                    for pool, n in ((state.points, s.batch - old), (state.visited, old))
                    if n
                ]
            )
            near = broadened(centres, 1, s.reach * self.scale, random, periodic=self.periodic)
            keys = SampleKeys.range(self.seed, f"{self.target.system.key}/coarse/train/{number}/{step}", 0, s.batch)
            terms = reverse_kl(self.proposal, keys, self.target, torch.from_numpy(near), margin=s.margin)
            optimizer.zero_grad()
            terms.loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.proposal.parameters(), s.gradient_clip)
            optimizer.step()
            losses.append(float(terms.loss.detach()))
            left_out += terms.left_out
        return float(np.mean(losses[-10:])), left_out

    def _explored(self, state: State, random: np.random.Generator) -> State:
        """Fits F, and finds the points of the next round."""
        s = self.settings
        good = state.labels.keep(np.flatnonzero(state.labels.ess >= min(s.least_ess, s.draws)))
        labels = good if len(good) >= s.points else state.labels
        pmf = PotentialOfMeanForce(labels, self.scale, periodic=self.periodic)
        low, high = np.full_like(self.scale, -np.pi), np.full_like(self.scale, np.pi)
        if not self.periodic:
            margin = 3.0 * s.reach * self.scale
            low, high = state.labels.s.min(0) - margin, state.labels.s.max(0) + margin
        grid = Grid(low, high, self.proposal.config.grid, self.periodic)
        mean, deviation = pmf.predict(grid.centres)
        # Walkers are optimists: they go where F may be low. Of barriers only so much need be known that they can be
        # crossed, and of what certainly lies above all barriers nothing.
        hopeful = mean - 2.0 * deviation
        above = hopeful - pmf.lowest
        allowed = np.where(above < s.ceiling, s.threshold, np.where(above < s.barrier, s.barrier_threshold, np.inf))
        start = random.choice(len(labels), s.walkers, p=_populations(labels, s.ceiling))
        met = walk(grid, hopeful / s.heat, deviation > allowed, labels.s[start], s.walk_steps, random)
        cells = grid.centres[np.unique(met)]
        # The lowest one first: farthest-point selection keeps it.
        cells = cells[np.argsort(mean[np.unique(met)], kind="stable")]
        chosen = farthest_points(cells, s.points, self.scale, periodic=self.periodic)
        return replace(
            state,
            points=cells[chosen],
            low=low,
            high=high,
            free_energy=mean,
            deviation=deviation,
            uncertain=np.array([len(met), s.walkers]),
        )


def _populations(labels: Labels, ceiling: float) -> np.ndarray:
    """Chances of walkers to start at each label: half by its population, half anywhere below the ceiling."""
    above = labels.free_energy - labels.free_energy.min()
    w, low = np.exp(-np.clip(above, 0.0, 50.0)), (above <= ceiling).astype(np.float64)
    return np.asarray(0.5 * w / w.sum() + 0.5 * low / low.sum())


def tensors(proposal: Coarse) -> dict[str, np.ndarray]:
    """The weights as arrays."""
    return {name: tensor.detach().numpy().copy() for name, tensor in proposal.state_dict().items()}


def weights(proposal: Coarse, arrays: dict[str, np.ndarray]) -> None:
    """Puts weights back."""
    proposal.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
