"""All that ``tbg thermo`` computes of one process: entropies, theorems, rates, potential, times, collapse."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tbg_core.randomness import SampleKeys
from tbg_core.registry import get_registry
from tbg_nonequilibrium.fluctuations import DetailedTheorem, IntegralTheorem, detailed_theorem, integral_theorem
from tbg_nonequilibrium.franz_parisi import FranzParisi, franz_parisi
from tbg_nonequilibrium.landscape import (
    between,
    instability_time,
    measured_speciation,
    phase,
    potential,
    speciation_time,
)
from tbg_nonequilibrium.mixture import Mixture
from tbg_nonequilibrium.process import LearnedDiffused, forward, generative
from tbg_nonequilibrium.rates import Rates, rates_by_quadrature, rates_of_samples
from tbg_nonequilibrium.thermodynamics import AlongTime, Data, along_time, borrowed, entropies
from tbg_nonequilibrium.weights import Worth, compare

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.sde import SdeIntegrator
    from tbg_nonequilibrium.process import Diffused

COLLAPSE_TIMES = (0.42, 0.015, 0.01)
"""Times at which the paper plots the Franz-Parisi potential."""
_LANDSCAPE_TIMES = (2.0, 1.0, 0.5, 0.25, 0.1)


@dataclass(frozen=True)
class Plan:
    """What to compute.

    Attributes:
        trajectories: Trajectories of each process.
        steps: Steps of each trajectory.
        time: Time T at which noise is reached.
        seed: The user's seed.
        method: Name of an SDE integrator that takes a number of steps.
    """

    trajectories: int = 10_000
    steps: int = 1000
    time: float = 10.0
    seed: int = 0
    method: str = "stochastic-heun"


@dataclass
class Direction:
    """One process: ``forward`` or ``generative``.

    Attributes:
        name: Which.
        total: dS_tot of its trajectories [n].
        integral: The integral fluctuation theorem.
        detailed: The detailed one, against the conjugate process.
        along: Mean entropies along time.
        failed: Trajectories that were lost.
    """

    name: str
    total: NDArray[np.float64]
    integral: IntegralTheorem
    detailed: DetailedTheorem
    along: AlongTime
    failed: int


@dataclass
class Study:
    """The results, for the page and for JSON."""

    name: str
    unit: float
    plan: Plan
    directions: list[Direction]
    borrowed: IntegralTheorem
    rates: Rates
    speciation: float
    known: dict[str, Any] = field(default_factory=dict)
    axis: NDArray[np.float64] | None = None
    landscape: dict[float, NDArray[np.float64]] = field(default_factory=dict)
    collapse: list[FranzParisi] = field(default_factory=list)
    worth: list[Worth] = field(default_factory=list)
    on_target: IntegralTheorem | None = None

    @property
    def tests(self) -> list[tuple[str, IntegralTheorem]]:
        """Tests of the score, by what the data are."""
        own = [("score, on draws of the process", self.borrowed)]
        return own if self.on_target is None else [*own, ("score, on data of the target", self.on_target)]

    def numbers(self) -> dict[str, Any]:
        """Plain data, for ``thermo.json``."""
        return {
            "process": self.name,
            "unit_of_length": self.unit,
            "trajectories": self.plan.trajectories,
            "steps": self.plan.steps,
            "time": self.plan.time,
            "method": self.plan.method,
            "seed": self.plan.seed,
            "directions": {
                d.name: {
                    "integral": d.integral.to_dict(),
                    "detailed": d.detailed.to_dict(),
                    "along_time": _plain(d.along),
                    "failed": d.failed,
                }
                for d in self.directions
            },
            "score_test": self.borrowed.to_dict(),
            "score_test_on_target": None if self.on_target is None else self.on_target.to_dict(),
            "rates": {**_plain(self.rates), "flux_turns": self.rates.flux_turns},
            "speciation_measured": self.speciation,
            "known": self.known,
            "franz_parisi": [{**_plain(f), "inflections": f.inflections} for f in self.collapse],
            "potential": {f"{t:g}": u.tolist() for t, u in self.landscape.items()},
            "potential_x": None if self.axis is None else self.axis.tolist(),
            "weights": [_plain(w) for w in self.worth],
        }


def study(
    p: Diffused,
    plan: Plan,
    advance: Callable[[str], None],
    target: Target | None = None,
    data: Data | None = None,
) -> Study:
    """Everything, for a mixture in closed form or a learned process.

    Args:
        p: The process.
        plan: How much of it.
        advance: Told the name of each of the :data:`STEPS` steps when it is done.
        target: What a model's samples are weighed by, if they are.
        data: Samples of that target.

    Raises:
        ConfigError: If there is no SDE integrator of that name, or it takes no number of steps.
    """
    integrator: SdeIntegrator = get_registry().build("sde", {"name": plan.method, "steps": plan.steps})
    keep = max(1, plan.steps // 50)
    rows = None if isinstance(p, Mixture) else min(plan.trajectories, 500)
    directions, states = [], None
    for process in (forward(p, plan.time), generative(p, plan.time)):
        keys = SampleKeys.range(plan.seed, f"thermo/{process.name}", 0, plan.trajectories)
        found = entropies(process, integrator, keys, keep=keep)
        advance(f"{process.name} trajectories")
        mirror = entropies(process.conjugate, integrator, keys.child("conjugate"))
        advance(f"conjugate of the {process.name} process")
        way = found.trajectory
        assert way is not None  # noqa: S101 - it was asked for
        states = way if states is None else states
        directions.append(
            Direction(
                process.name,
                found.total,
                integral_theorem(found.total),
                detailed_theorem(found.total, mirror.total),
                along_time(p, way, rows=rows),
                found.failed,
            )
        )
        advance(f"entropies along the {process.name} process")
    keys = SampleKeys.range(plan.seed, "thermo/score", 0, plan.trajectories)
    test = integral_theorem(borrowed(p, plan.time, integrator, keys).total)
    advance("test of the score")
    assert states is not None  # noqa: S101 - set by the forward process
    origins = _origins(p, keys)
    on_target = None
    if data is not None:
        found = borrowed(p, plan.time, integrator, keys.child("target"), data)
        on_target = integral_theorem(found.total, found.log_weights)
    result = Study(p.name, p.unit, plan, directions, test, _rates(p, plan, states), measured_speciation(p, origins))
    advance("rates and speciation")
    result.on_target = on_target
    _landscape(result, p, origins.mean(dim=0))
    _closed_forms(result, p, plan)
    advance("landscape and collapse")
    if target is not None and isinstance(p, LearnedDiffused):
        result.worth = compare(p.model, target, plan.trajectories, plan.seed)
    advance("weights")
    return result


STEPS = 10
"""Steps of :func:`study`."""


def _rates(p: Diffused, plan: Plan, states: Any) -> Rates:
    """By quadrature where the density is cheap, else over the forward trajectories."""
    if isinstance(p, Mixture) and len(p.means[0]) <= 2:
        return rates_by_quadrature(p, np.geomspace(0.01, min(plan.time, 5.0), 60).tolist())
    chosen = [k for k, t in enumerate(states.times.tolist()) if p.starts < t <= 5.0][:: max(1, len(states.times) // 20)]
    count = min(plan.trajectories, 500)
    return rates_of_samples(p, [float(states.times[k]) for k in chosen], [states.x[k, :count] for k in chosen])


def _origins(p: Diffused, keys: SampleKeys) -> torch.Tensor:
    """Points [m, *event] above which the potential may split: the middle of a mixture, or an axis of the data."""
    if isinstance(p, Mixture):
        return (p.weights @ p.means).unsqueeze(0)
    return between(p.data(SampleKeys(keys.seed, "thermo/middle", keys.index[:1000])))


def _landscape(result: Study, p: Diffused, centre: torch.Tensor) -> None:
    """The potential along the first axis, on R^d: through exp(-t) times the middle of the data."""
    if len(p.event_shape) != 1:
        return
    axis = torch.linspace(-4.0, 4.0, 161, dtype=torch.float64)
    result.axis = axis.numpy()
    for t in _LANDSCAPE_TIMES:
        points = (math.exp(-t) * centre).expand(len(axis), -1).clone()
        points[:, 0] = axis
        u = potential(p, t, points).numpy()
        result.landscape[t] = u - u[len(u) // 2]


def _closed_forms(result: Study, p: Diffused, plan: Plan) -> None:
    """What is known of the symmetric mixture, and its Franz-Parisi potential."""
    if not isinstance(p, Mixture):
        return
    mu, s = float(p.means[0].norm()), float(p.sigmas[0])
    symmetric = len(p.weights) == 2 and bool(torch.allclose(p.means[0], -p.means[1]))
    if symmetric and bool((p.sigmas == p.sigmas[0]).all()) and bool((p.weights == p.weights[0]).all()):
        result.known = {
            "mu": mu,
            "s": s,
            "speciation_time": speciation_time(mu, s),
            "instability_time": _finite(instability_time(s)),
            "phase": phase(mu, s),
        }
    if p.event_shape == (1,):
        q = np.linspace(0.05, 6.0, 60).tolist()
        keys = SampleKeys.range(plan.seed, "thermo/collapse", 0, plan.trajectories)
        result.collapse = [franz_parisi(p, t, q, keys) for t in COLLAPSE_TIMES]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(item: Any) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(item).items()}
