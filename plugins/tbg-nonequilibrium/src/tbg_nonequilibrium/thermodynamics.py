"""Entropies along single trajectories: what the system gains, what its environment gains, and their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.sde import stratonovich

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.sde import SdeIntegrator, Trajectory
    from tbg_core.randomness import SampleKeys
    from tbg_nonequilibrium.process import Diffused, Process

ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Entropies:
    """Changes of entropy along whole trajectories of a process, in k.

    Attributes:
        system: ln p(X_begin) - ln p(X_end) [n].
        environment: The integral of f o dX by Stratonovich's midpoints [n], with the force f per unit of the process'
            own clock and a diffusion coefficient of one.
        failed: Trajectories that left the finite numbers, and are not among the others.
        log_weights: Log-weights of the trajectories [n], or None where all count the same.
        trajectory: States and the environment's entropy on the way, if they were kept.
    """

    system: np.ndarray
    environment: np.ndarray
    failed: int = 0
    log_weights: np.ndarray | None = None
    trajectory: Trajectory | None = None

    @property
    def total(self) -> np.ndarray:
        """ln of the probability of each path over that of its reversal in the conjugate process [n]."""
        return np.asarray(self.system + self.environment)


@torch.no_grad()
def entropies(process: Process, integrator: SdeIntegrator, keys: SampleKeys, *, keep: int = 0) -> Entropies:
    """Runs trajectories, one per key.

    Args:
        process: What to run.
        integrator: How.
        keys: One per trajectory.
        keep: Keep every so many steps; see :class:`~tbg_core.contracts.sde.SdeIntegrator`.
    """
    x0 = process.begin(keys.child("begin"))
    solution = integrator.integrate(
        lambda t, x, rows: process.drift(t, x),  # noqa: ARG005 - a Drift
        process.noise,
        x0,
        process.t0,
        process.t1,
        keys.child("noise"),
        {ENVIRONMENT: stratonovich(process.force)},
        keep=keep,
    )
    system = (process.log_begin(x0) - process.log_end(solution.x)).numpy()
    environment = solution.accumulators[ENVIRONMENT].numpy()
    good = (solution.status.numpy() == Status.OK) & np.isfinite(system) & np.isfinite(environment)
    return Entropies(system[good], environment[good], int((~good).sum()), trajectory=solution.trajectory)


@dataclass(frozen=True)
class AlongTime:
    """Mean entropies along time, with standard errors, each [K].

    Attributes:
        times: Times of the forward process.
        system: Entropy of the system, gained since the beginning.
        system_err: Its error.
        environment: Entropy of the environment, gained since the beginning.
        environment_err: Its error.
        total: Their sum; the errors of the two are not independent.
        total_err: Its error.
    """

    times: np.ndarray
    system: np.ndarray
    system_err: np.ndarray
    environment: np.ndarray
    environment_err: np.ndarray
    total: np.ndarray
    total_err: np.ndarray


@torch.no_grad()
def along_time(p: Diffused, way: Trajectory, *, rows: int | None = None) -> AlongTime:
    """Mean entropies at the kept times.

    Args:
        p: The marginals.
        way: Kept trajectories.
        rows: How many of them to use, for densities that are dear.
    """
    states = way.x[:, :rows]
    log_p = np.stack([p.log_density(float(t), x).numpy() for t, x in zip(way.times, states, strict=True)])
    environment = way.accumulators[ENVIRONMENT][:, :rows].numpy()
    system = log_p[0] - log_p
    columns = {"system": system, "environment": environment, "total": system + environment}
    found = {}
    for name, values in columns.items():
        good = np.isfinite(values).all(axis=0)
        found[name] = values[:, good].mean(axis=1)
        found[f"{name}_err"] = values[:, good].std(axis=1, ddof=1) / np.sqrt(max(1, good.sum()))
    return AlongTime(times=way.times.numpy(), **found)


@dataclass(frozen=True)
class Data:
    """Weighted states of a density that is known.

    Attributes:
        x: States [n, *event], float64, in the units of the process.
        log_p: Their normalised log-density [n].
        log_weights: What they count [n].
    """

    x: Tensor
    log_p: Tensor
    log_weights: np.ndarray


@torch.no_grad()
def borrowed(
    p: Diffused, time: float, integrator: SdeIntegrator, keys: SampleKeys, data: Data | None = None
) -> Entropies:
    """Entropy production that generation *would* have on noised data run backwards: a test of the score.

    Along trajectories of the generative process itself exp(-dS_tot) has the mean 1 whatever drives it. Here data are
    noised by the forward process, which needs no score, and on the reversed paths the drift x + 2 score is integrated.
    If the score is that of the data, these paths are generative ones, and the mean is 1 again; if not, it is not. A
    model's own draws as data ask whether its score is that of its density, data of a target whether it is the target's.

    Args:
        p: The score and the densities to test.
        time: T.
        integrator: Of the forward process.
        keys: One per trajectory.
        data: Where trajectories begin, in turn; draws of ``p`` by default.
    """
    start = p.starts if data is None else 0.0
    if data is None:
        x0 = p.sample(keys.child("begin"), start)
        log_p, log_weights = p.log_density(start, x0), np.zeros(len(keys))
    else:
        rows = torch.arange(len(keys)) % len(data.x)
        x0, log_p, log_weights = data.x[rows], data.log_p[rows], data.log_weights[rows.numpy()]
    run = integrator.integrate(
        lambda t, x, rows: -x,  # noqa: ARG005 - a Drift
        lambda t, dw: 2**0.5 * p.project(dw),  # noqa: ARG005 - a Diffusion
        x0,
        start,
        time,
        keys.child("noise"),
        {ENVIRONMENT: stratonovich(lambda t, x: -p.reverse_drift(t, x))},
    )
    system = (p.log_density(time, run.x) - log_p).numpy()
    environment = run.accumulators[ENVIRONMENT].numpy()
    good = (run.status.numpy() == Status.OK) & np.isfinite(system) & np.isfinite(environment)
    good &= np.isfinite(log_weights)
    return Entropies(system[good], environment[good], int((~good).sum()), log_weights[good])
