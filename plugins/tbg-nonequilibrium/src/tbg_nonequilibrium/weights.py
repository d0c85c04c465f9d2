"""What a diffusion is worth as an importance sampler: by the density of its flow, and by the weights of its paths."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tbg_core.randomness import SampleKeys
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_nonequilibrium.config import PathWeightsConfig
from tbg_nonequilibrium.path_weights import PathWeights

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.sampler import Sampler
    from tbg_nonequilibrium.proposal import DiffusionProposal

LENGTHS: Final = (16, 64, 256)
"""Steps of the reverse chains that are tried."""


@dataclass(frozen=True)
class Worth:
    """One sampler on one target.

    Attributes:
        sampler: Which.
        attempted: Samples.
        ess_fraction: Kish ESS over the samples attempted.
        pareto_k: Shape of the tail of the weights.
        log_z: Estimate of log Z.
        log_z_err: Its standard error.
        exact_log_z: log Z where the target knows it, else nan.
        velocities: Velocities for each sample, those inside of divergences not counted.
        milliseconds: Time on the CPU for each sample, energies included.
    """

    sampler: str
    attempted: int
    ess_fraction: float
    pareto_k: float
    log_z: float
    log_z_err: float
    exact_log_z: float
    velocities: float
    milliseconds: float


def compare(model: DiffusionProposal, target: Target, count: int, seed: int) -> list[Worth]:
    """Importance sampling by the exact density of the flow, then by path weights of chains of several lengths.

    Args:
        model: A trained diffusion.
        target: What to weigh its samples by.
        count: Samples of each.
        seed: The user's seed.
    """
    keys = SampleKeys.range(seed, f"{target.system.key}/thermo/weights", 0, count)
    exact = float(target.reference_values.get("log_z", float("nan")))

    def worth(name: str, sampler: Sampler, velocities: float) -> Worth:
        began = time.process_time()
        made = sampler.sample_block(model, target, keys)
        spent = 1e3 * (time.process_time() - began) / count
        z = made.log_z
        return Worth(name, count, made.ess_fraction, made.pareto_k, z.value, z.error, exact, velocities, spent)

    few = SampleKeys.range(seed, keys.stream, 0, min(count, 64))
    velocities = float(model.sample_with_log_prob(few, target.system).evaluations.double().mean())
    by_density = worth("density of the flow", ImportanceSampler(ImportanceSamplerConfig()), velocities)
    by_paths = [worth(f"paths of {k} steps", PathWeights(PathWeightsConfig(steps=k)), k) for k in LENGTHS]
    return [by_density, *by_paths]
