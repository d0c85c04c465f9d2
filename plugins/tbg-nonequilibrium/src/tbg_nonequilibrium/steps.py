"""Methods for stochastic differential equations on a grid of equal steps."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch
from typing_extensions import override

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.sde import SdeIntegrator, SdeSolution, Step, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from tbg_core.contracts.sde import Accumulator, Diffusion, Drift
    from tbg_core.randomness import SampleKeys
    from tbg_nonequilibrium.config import EulerMaruyamaConfig, StochasticHeunConfig


class EqualSteps(SdeIntegrator):
    """All rows take ``steps`` equal steps; one that leaves the finite numbers stays where it was last."""

    drifts: ClassVar[int]
    """Drifts evaluated in a step."""

    def __init__(self, config: EulerMaruyamaConfig | StochasticHeunConfig) -> None:
        self.steps = config.steps

    @abstractmethod
    def increment(
        self, drift: Drift, diffusion: Diffusion, x: Tensor, t: float, dt: float, dw: Tensor, rows: Tensor
    ) -> Tensor:
        """The increment dx [B, *event] of one step."""

    @override
    def integrate(
        self,
        drift: Drift,
        diffusion: Diffusion,
        x0: Tensor,
        t0: float,
        t1: float,
        keys: SampleKeys,
        accumulators: Mapping[str, Accumulator] | None = None,
        *,
        keep: int = 0,
    ) -> SdeSolution:
        forms = accumulators or {}
        rows = torch.arange(len(x0), device=x0.device)
        steps = self.steps if t1 != t0 and len(x0) else 0
        x, status = x0, torch.zeros_like(rows)
        sums = {name: torch.zeros(len(x0), dtype=torch.float64, device=x0.device) for name in forms}
        times, states, values = [t0], [x0], [dict(sums)]
        for i, z in enumerate(keys.normals(steps, tuple(x0.shape[1:]))):
            t, end = (t0 + (t1 - t0) * (k / steps) for k in (i, i + 1))
            dw = (math.sqrt(abs(end - t)) * z).to(x)
            dx = self.increment(drift, diffusion, x, t, end - t, dw, rows)
            going = (status == Status.OK) & torch.isfinite(x + dx).flatten(1).all(dim=1)
            status = torch.where(going, status, int(Status.NONFINITE))
            dx = torch.where(going.view(-1, *(1,) * (x.ndim - 1)), dx, 0.0)
            step = Step(t, end - t, x, dx, dw, rows)
            for name, form in forms.items():
                sums[name] = sums[name] + torch.where(going, form(step).double(), 0.0)
            x = x + dx
            if keep and ((i + 1) % keep == 0 or i + 1 == steps):
                times.append(end)
                states.append(x)
                values.append(dict(sums))
        way = None
        if keep:
            history = {name: torch.stack([v[name] for v in values]) for name in sums}
            way = Trajectory(torch.tensor(times, dtype=torch.float64), torch.stack(states), history)
        return SdeSolution(x, sums, torch.full_like(status, steps * self.drifts), status, way)


class EulerMaruyama(EqualSteps):
    """dx = f(t, x) dt + G(t) dw."""

    strong_order: ClassVar[float] = 1.0  # for additive noise
    weak_order: ClassVar[float] = 1.0
    drifts: ClassVar[int] = 1

    @override
    def increment(
        self, drift: Drift, diffusion: Diffusion, x: Tensor, t: float, dt: float, dw: Tensor, rows: Tensor
    ) -> Tensor:
        return drift(x.new_full((len(x),), t), x, rows) * dt + diffusion(t, dw)


class StochasticHeun(EqualSteps):
    """The drift is averaged over both ends of the step that Euler-Maruyama would take, with the same noise.

    For additive noise of second order in averages; G is taken at the middle of the step. Source: Kloeden and Platen,
    Numerical Solution of Stochastic Differential Equations, Springer 1992, section 15.1.
    """

    strong_order: ClassVar[float] = 1.0
    weak_order: ClassVar[float] = 2.0
    drifts: ClassVar[int] = 2

    @override
    def increment(
        self, drift: Drift, diffusion: Diffusion, x: Tensor, t: float, dt: float, dw: Tensor, rows: Tensor
    ) -> Tensor:
        noise = diffusion(t + 0.5 * dt, dw)
        begin = drift(x.new_full((len(x),), t), x, rows)
        end = drift(x.new_full((len(x),), t + dt), x + begin * dt + noise, rows)
        return 0.5 * (begin + end) * dt + noise
