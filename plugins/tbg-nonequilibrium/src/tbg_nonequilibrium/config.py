"""Options of the components; imports nothing heavy."""

from __future__ import annotations

from pydantic import Field, model_validator

from tbg_core.config.base import ComponentConfig
from tbg_core.flows.config import FlowConfig


class EulerMaruyamaConfig(ComponentConfig):
    """Options of ``euler-maruyama``."""

    steps: int = Field(1000, ge=1, description="Equal steps from end to end; one drift each.")


class StochasticHeunConfig(ComponentConfig):
    """Options of ``stochastic-heun``."""

    steps: int = Field(500, ge=1, description="Equal steps from end to end; two drifts each.")


class DiffusionConfig(FlowConfig):
    """Options of the proposal ``diffusion``."""

    length_scale_nm: float | None = Field(
        None,
        gt=0,
        description="Length (nm) that is one unit inside the diffusion. None: the root-mean-square coordinate of the "
        "training data for molecules, half of that of their deviations on R^d, so that data are wider than noise.",
    )


class DenoisingScoreMatchingConfig(ComponentConfig):
    """Options of denoising score matching."""

    stratified: bool = Field(
        True, description="One time in each of B equal intervals of the clock, which lowers the variance of the loss."
    )


class MixtureVelocityConfig(ComponentConfig):
    """Options of the field ``mixture-velocity``; the default is the paper's mixture, mu = s = 1 in one dimension."""

    means: tuple[tuple[float, ...], ...] = Field(
        ((-1.0,), (1.0,)), min_length=1, description="Centre of each Gaussian (length scales)."
    )
    sigmas: tuple[float, ...] = Field(
        (1.0, 1.0), description="Standard deviation of each Gaussian in every direction (length scales)."
    )
    weights: tuple[float, ...] = Field((0.5, 0.5), description="Relative weight of each Gaussian.")

    @model_validator(mode="after")
    def _agree(self) -> MixtureVelocityConfig:
        if not len(self.means) == len(self.sigmas) == len(self.weights):
            raise ValueError("means, sigmas and weights must have one entry for each Gaussian")
        if len({len(mean) for mean in self.means}) > 1:
            raise ValueError("all means must have the same dimension")
        if min(*self.sigmas, *self.weights) <= 0:
            raise ValueError("sigmas and weights must be positive")
        return self


class PathWeightsConfig(ComponentConfig):
    """Options of the sampler ``path-weights``."""

    steps: int = Field(64, ge=2, description="Steps of the reverse chain, one network evaluation each.")
