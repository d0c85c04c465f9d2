"""Options of the components; imports nothing heavy."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from tbg_core.config.base import ComponentConfig

Kind = Literal[
    "potts-chain", "potts-grid", "potts-random", "coupled-binary", "pinwheel", "eight-gaussians", "categorical", "file"
]

FORMS: Final[dict[str, str]] = {
    "potts-chain:NxC": "Potts model on a chain of N variables with C classes",
    "potts-grid:RxKxC": "Potts model on a grid of R rows and K columns, open ends",
    "potts-random:NxC:SEED": "Potts glass: random couplings of all pairs, random fields",
    "coupled-binary": "two binary variables that agree with probability 0.9",
    "pinwheel:C": "a pinwheel of five arms, discretised: two variables with C classes",
    "eight-gaussians:C": "eight Gaussians on a circle, discretised: two variables with C classes",
    "categorical:NxC:SEED": "independent variables, each with probabilities drawn from a flat Dirichlet law",
    "labels:FILE": "what tbg labels make wrote of a molecule",
}
"""What each text after ``--system`` means."""


class LabelsConfig(ComponentConfig):
    """Options of the system source ``labels``."""

    kind: Kind = Field("potts-chain", description="Which family of systems.")
    sizes: tuple[int, ...] = Field(
        (), description="Numbers of variables, or rows and columns, then of classes, as in the text; (): its default."
    )
    seed: int = Field(0, ge=0, description="Seed of what is random about the system itself.")
    path: str = Field("", description="The file, for the kind file.")

    @model_validator(mode="after")
    def _has_a_file(self) -> Self:
        if (self.kind == "file") != bool(self.path):
            raise ValueError("path goes with the kind file, and only with it")
        return self


class EmbeddingConfig(ComponentConfig):
    """Where the states of a labelling lie among the logits."""

    radius: float = Field(
        10.0,
        gt=0,
        description="Distance from the origin, for each variable, of the centre of a labelling's states (logits). "
        "Equal to t_end of the flow: there its states arrive.",
    )
    width: float = Field(1.0, gt=0, description="Standard deviation about the centre (logits); 1 is that of the prior.")


class PottsConfig(EmbeddingConfig):
    """Options of the energy ``potts``.

    U(a) = -coupling sum_ij g_ij [a_i = a_j] - field sum_i f_i(a_i). On chains and grids g is 1 between neighbours and
    f is 1 for class 0; in the random model g_ij is N(0, 1/n) for all pairs and f_i(a) is N(0, 1).
    """

    coupling: float = Field(2.0, description="Energy gained by two coupled variables that agree (kJ/mol).")
    field: float = Field(0.5, description="Energy gained by a variable in class 0 (kJ/mol); random model: its scale.")


class LabelTableConfig(EmbeddingConfig):
    """Options of the energy ``label-table``: u = -log p, for systems that are a distribution, at any temperature."""


class NetworkConfig(ComponentConfig):
    """Options of the field ``assignment-network``."""

    variables: int | None = Field(
        None, ge=1, description="Number of variables; left out: that of the training systems."
    )
    classes: int | None = Field(None, ge=2, description="Classes of each; left out: those of the training systems.")
    width: int = Field(128, ge=1, description="Hidden width (units).")
    depth: int = Field(3, ge=1, description="Hidden layers.")
    time_features: int = Field(4, ge=0, description="Pairs of a sine and a cosine of the time.")
    output: Literal["posterior", "velocity"] = Field(
        "posterior",
        description="What the network gives: velocity, F itself, as in the paper; or posterior, a correction to the "
        "log-probabilities of the labels given the state, from which F follows.",
    )


class AssignmentConfig(ComponentConfig):
    """Options of the proposal ``assignment``."""

    t_end: float = Field(10.0, gt=0, description="Time at which the flow ends (units of the field magnitude).")
    dtype: Literal["float32", "float64"] = Field(
        "float32", description="Type of states and network inside the flow; log q is float64 in any case."
    )


class FisherRaoConfig(ComponentConfig):
    """Options of the objective ``fisher-rao-matching``."""

    concentration: float = Field(2.0, gt=0, description="Shape of the Gamma law of the time.")
    rate: float = Field(0.4, gt=0, description="Rate of the Gamma law of the time (per unit of time).")
    metric: Literal["fisher-rao", "euclidean"] = Field(
        "fisher-rao",
        description="Norm of the error of the velocity: fisher-rao, that of the curve of probabilities, as in the "
        "paper; or euclidean, that of the logits. The minimum is the same.",
    )


class LabelSamplerConfig(ComponentConfig):
    """Options of the dynamics ``label-sampler``."""

    frame_interval_ps: float = Field(1.0, gt=0, description="Nominal: frames are independent (ps).")


class LabelObservablesConfig(ComponentConfig):
    """The observables ``labels`` have no options."""
