"""How close the labels of a model come to a distribution that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_assignment.distributions import Table, all_labels
from tbg_assignment.held_out import Score, held_out_scores
from tbg_assignment.likelihood import Likelihoods, likelihoods
from tbg_assignment.runs import model_of
from tbg_assignment.system import DistributionSystem
from tbg_core.ensemble import Ensemble
from tbg_core.errors import ConfigError
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from tbg_assignment.distributions import LabelDistribution
    from tbg_assignment.label_file import LabelFile
    from tbg_assignment.system import LabelSystem
    from tbg_core.ensemble.estimate import Estimate


@dataclass(frozen=True)
class Plan:
    """What is computed.

    Attributes:
        labellings: These ones; (): all that can occur, or if there are more than ``most``, that many draws.
        most: See ``labellings``.
        draws: States for each.
        soft: Without rounding.
        seed: Of all draws.
    """

    labellings: tuple[tuple[int, ...], ...] = ()
    most: int = 256
    draws: int = 64
    soft: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Judgement:
    """Labellings under a model, beside what is exact.

    Attributes:
        system: What the labels are of.
        exact: mu; None where there are too many labellings.
        found: Probabilities under the model.
        log_mu: log of mu [K]; nan where it is not known.
        weights: Share of each labelling in averages over mu [K]; zero where they were chosen by hand.
        complete: Whether they are all that can occur, so that ``weights`` is mu.
        log_z: Of the run.
        ess_fraction: Of the run.
        scores: On held-out frames, for the labels of a molecule.
    """

    system: LabelSystem
    exact: LabelDistribution | None
    found: Likelihoods
    log_mu: NDArray[np.float64]
    weights: NDArray[np.float64]
    complete: bool
    log_z: Estimate
    ess_fraction: float
    scores: tuple[Score, ...] = ()

    @property
    def divergence(self) -> tuple[float, float]:
        """KL(mu || model) in nats and its standard error; nan for labellings that were chosen by hand."""
        if not self.weights.any():
            return math.nan, math.nan
        missing = np.where(self.weights > 0, self.log_mu - self.found.unbiased, 0.0)
        value = float(self.weights @ missing)
        if self.complete:
            return value, float(np.linalg.norm(self.weights * np.where(self.weights > 0, self.found.log_p_err, 0.0)))
        return value, float(np.std(missing, ddof=1) / math.sqrt(len(missing)))

    @property
    def total(self) -> tuple[float, float]:
        """Sum of the model's probabilities and its standard error; at most 1, and 1 if nothing else can occur."""
        p = np.exp(self.found.log_p)
        return float(p.sum()), float(np.linalg.norm(np.where(p > 0, p * self.found.log_p_err, 0.0)))

    def numbers(self) -> dict[str, Any]:
        """All of it, as plain data."""
        kl, kl_err = self.divergence
        total, total_err = self.total
        n, c = self.system.space.event_shape
        known: dict[str, Any] = {}
        if self.exact is not None:
            known = {"entropy": self.exact.entropy, "kl_of_product": self.exact.information, "log_z": self.exact.log_z}
        return {
            "system": self.system.name,
            "variables": n,
            "classes": c,
            "exact": known,
            "kl": kl,
            "kl_err": kl_err,
            "probability": total,
            "probability_err": total_err,
            "complete": self.complete,
            "log_z": self.log_z.value,
            "log_z_err": self.log_z.error,
            "ess_fraction": self.ess_fraction,
            "log_q_err": self.found.log_q_err,
            "draws": self.found.draws,
            "held_out": [vars(score) for score in self.scores],
            "labellings": [
                {"labels": list(map(int, a)), "log_p": p, "log_p_err": e, "exact_log_p": mu, "ess": ess}
                for a, p, e, mu, ess in zip(
                    self.found.labels,
                    self.found.unbiased.tolist(),
                    self.found.log_p_err.tolist(),
                    self.log_mu.tolist(),
                    self.found.ess.tolist(),
                    strict=True,
                )
            ],
        }


def parse_labelling(text: str) -> tuple[int, ...]:
    """``"0,2,1"`` as labels.

    Raises:
        ConfigError: If it is something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--labelling {text!r} is no list of numbers.", fix="Write e.g. --labelling 0,2,1.") from None


def judge(run: Path, plan: Plan, advance: Callable[[int], None] = lambda _: None) -> Judgement:
    """Computes the probabilities of labellings under the model of a run.

    Raises:
        ConfigError: If there are no such labellings, or too many to choose from.
    """
    flow, target = model_of(run)
    exact = target.distribution
    labels, weights, complete = _chosen(target.system, exact, plan)
    found = likelihoods(flow, target.system, labels, draws=plan.draws, seed=plan.seed, soft=plan.soft, advance=advance)
    log_mu = np.full(len(labels), np.nan) if exact is None else exact.log_weight(labels) - exact.log_z
    ensemble = Ensemble.load(run, target.system)
    scores: tuple[Score, ...] = ()
    if not plan.labellings and (counted := _counted(target.system)) is not None:
        scores = held_out_scores(counted, found.unbiased, found.log_p_err)
    return Judgement(
        target.system, exact, found, log_mu, weights, complete, ensemble.log_z, ensemble.ess_fraction, scores
    )


def _counted(system: LabelSystem) -> LabelFile | None:
    return system.counted if isinstance(system, DistributionSystem) else None


def _chosen(
    system: LabelSystem, exact: LabelDistribution | None, plan: Plan
) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """Labellings [K, n], their weights [K] and whether they are all that can occur."""
    n, c = system.space.event_shape
    if plan.labellings:
        wrong = [a for a in plan.labellings if len(a) != n or not all(0 <= label < c for label in a)]
        if wrong:
            raise ConfigError(
                f"{','.join(map(str, wrong[0]))} is no labelling of {system.name}.",
                fix=f"Write {n} labels from 0 to {c - 1}, e.g. {','.join('0' * n)}.",
            )
        return np.array(plan.labellings, dtype=np.int64), np.zeros(len(plan.labellings)), False
    if (counted := _counted(system)) is not None:
        w = np.array(counted.weights)  # of all that occur, be it in held-out frames alone
        return np.array(counted.labels, dtype=np.int64), w / w.sum(), True
    if exact is None:
        raise ConfigError(
            f"{system.name} has too many labellings to draw from exactly.", fix="Name some with --labelling."
        )
    if isinstance(exact, Table):
        p = exact.probabilities.reshape(-1)
        (possible,) = np.nonzero(p > 0)
        if len(possible) <= plan.most:
            return all_labels(n, c, possible), p[possible], True
    drawn = exact.draw(generator(plan.seed, system.key, "labellings"), plan.most)
    return drawn, np.full(plan.most, 1.0 / plan.most), False
