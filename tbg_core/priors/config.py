"""Options of the priors; imports no torch."""

from __future__ import annotations

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class GaussianConfig(ComponentConfig):
    """Options of the Gaussian priors on R^d and on logits."""

    std: float = Field(
        1.0, gt=0, description="Standard deviation along every direction of the space (length scales; 1 for logits)."
    )


class MeanFreeGaussianConfig(ComponentConfig):
    """Options of the mean-free Gaussian prior for molecules."""

    std: float = Field(
        1.0,
        gt=0,
        description="Standard deviation along every direction of the mean-free space (length scales).",
    )


class HarmonicPriorConfig(ComponentConfig):
    """Options of the bond-graph prior."""

    spring_constant: float = Field(
        3.0,
        gt=0,
        description="Spring constant of every bond (kT per squared length scale). In a molecule without "
        "rings the root-mean-square bond length is sqrt(3 / spring_constant) length scales.",
    )
