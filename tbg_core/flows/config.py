"""Options of the flow proposal and of the likelihood rules; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class FlowConfig(ComponentConfig):
    """Options of the proposal ``flow``."""

    length_scale_nm: float | None = Field(
        None,
        gt=0,
        description="Length (nm) that is one unit inside the flow. None: for molecules the root-mean-square coordinate "
        "about the centroid, of the training data of all of them together; 1 for other systems.",
    )
    dtype: Literal["float32", "float64"] = Field(
        "float32", description="Type of states and network inside the flow; log q is float64 in any case."
    )


class AugmentedConfig(ComponentConfig):
    """The rule ``augmented`` has no options: the integrator's tolerance governs log q."""


class QuadratureConfig(ComponentConfig):
    """Options of the rule ``quadrature``."""

    nodes: Literal[15, 21, 31, 63] = Field(
        31,
        description="Divergences taken along each path: nodes of the Gauss-Kronrod pair (7, 15), (10, 21), (15, 31) or "
        "(31, 63).",
    )
    grading: float | None = Field(
        None,
        ge=1,
        le=4,
        description="How much closer the nodes lie where the data are: exponent g of (1 - s)^g. Left out: 2 for "
        "molecules, whose bonds are narrow, and 1, no closer, elsewhere.",
    )
    max_rows: int = Field(1024, ge=1, description="States whose divergence is taken at once; bounds the memory (rows).")


class DiscreteConfig(ComponentConfig):
    """Options of the rule ``discrete``."""

    max_rows: int = Field(16, ge=1, description="States whose Jacobian is taken at once; bounds the memory (rows).")
    tolerance: float = Field(
        1e-6, gt=0, description="Error of the inverse map, over 1 plus the largest coordinate (units of the flow)."
    )
    iterations: int = Field(50, ge=1, description="Most corrections of the inverse map.")


class HutchinsonConfig(ComponentConfig):
    """Options of the rule ``hutchinson``."""

    probes: int = Field(1, ge=1, description="Random probes per sample; with two or more their spread gives an error.")
