"""Options of the toys. Coordinates have no unit; where a nanometre is expected, one stands for it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from tbg_core.config.base import ComponentConfig

ToyName = Literal["double-well", "asymmetric-double-well", "mueller-brown", "gaussian-mixture", "gaussian"]

TOYS: Final[dict[ToyName, str]] = {
    "double-well": "two equal wells along x_0, harmonic in the other coordinates",
    "asymmetric-double-well": "the same, with the right well 5 kJ/mol higher",
    "mueller-brown": "the two-dimensional surface of Mueller and Brown, with three minima",
    "gaussian-mixture": "two Gaussians of different weight and width along x_0",
    "gaussian": "the standard normal distribution",
}
"""What each toy is."""


class ToyConfig(ComponentConfig):
    """Options of the system source ``toy``."""

    toy: ToyName = Field("double-well", description="Which toy.")
    dim: int | None = Field(None, ge=1, description="Dimension d; 2 if not given. Mueller-Brown has 2 only.")


class DoubleWellConfig(ComponentConfig):
    """Options of the energy ``double-well``.

    U(x) = barrier ((x_0/a)^2 - 1)^2 + (tilt/2) (x_0/a) + (stiffness/2) sum_{i>0} x_i^2.
    """

    barrier: float = Field(10.0, gt=0, description="Height of the barrier without tilt (kJ/mol).")
    a: float = Field(1.0, gt=0, description="Position of the wells without tilt is +-a (coordinate units).")
    tilt: float | None = Field(
        None,
        description="Energy of the right well above the left one (kJ/mol, to first order). If not given, 0 "
        "for the system double-well and 5 for asymmetric-double-well.",
    )
    stiffness: float = Field(
        20.0, gt=0, description="Force constant of every further coordinate (kJ/mol per coordinate unit^2)."
    )


class MuellerBrownConfig(ComponentConfig):
    """Options of the energy ``mueller-brown``."""

    scale: float = Field(
        0.1,
        gt=0,
        description="kJ/mol for one unit of the original surface. At 0.1 the main barrier is 10.6 kJ/mol "
        "(4.3 kT at 300 K) above the deepest minimum.",
    )


class GaussianMixtureConfig(ComponentConfig):
    """Options of the energy ``gaussian-mixture``.

    u(x) = offset - log sum_k weights_k N(x; means_k, sigmas_k^2 I), in kT at any temperature. What is not
    given is, for the system gaussian, one component of width 1 at the origin, and for gaussian-mixture two
    components at x_0 = -1.5 and +1.5 with weights 0.3 and 0.7 and widths 0.5 and 0.6.
    """

    means: tuple[tuple[float, ...], ...] | None = Field(
        None, description="Centre of each component (coordinate units)."
    )
    sigmas: tuple[float, ...] | None = Field(
        None, description="Standard deviation of each component in every direction (coordinate units)."
    )
    weights: tuple[float, ...] | None = Field(
        None, description="Relative weight of each component, normalised to a sum of one."
    )
    offset: float = Field(0.0, description="Constant added to u (kT); log Z is minus it.")

    @model_validator(mode="after")
    def _agree(self) -> GaussianMixtureConfig:
        parts = (self.means, self.sigmas, self.weights)
        given = [part for part in parts if part is not None]
        if given and len(given) < len(parts):
            raise ValueError("give means, sigmas and weights together, or none of them")
        if len({len(part) for part in given}) > 1 or any(len(part) == 0 for part in given):
            raise ValueError("means, sigmas and weights must have one entry for each component")
        if self.means is not None and len({len(mean) for mean in self.means}) > 1:
            raise ValueError("all means must have the same dimension")
        if any(value <= 0 for part in (self.sigmas, self.weights) for value in part or ()):
            raise ValueError("sigmas and weights must be positive")
        return self


class MLPConfig(ComponentConfig):
    """Options of the field ``mlp``."""

    dim: int | None = Field(
        None, ge=1, description="Dimension d; found from the training systems when left out, else 2."
    )
    width: int = Field(64, ge=1, description="Hidden width (units).")
    depth: int = Field(3, ge=1, description="Hidden layers.")
    time_features: int = Field(4, ge=0, description="Frequencies of the time embedding, each with its sine and cosine.")
    condition_dim: int = Field(0, ge=0, description="Number of conditioning values.")


class LinearConfig(ComponentConfig):
    """Options of the field ``linear``: v = (1 + ramp t) A x."""

    matrix: tuple[tuple[float, ...], ...] = Field(
        ((-0.5, 0.8), (-0.8, 0.2)), description="Rows of the square matrix A (1/time)."
    )
    ramp: float = Field(0.0, description="Relative change of A per unit of time.")

    @model_validator(mode="after")
    def _square(self) -> LinearConfig:
        if not self.matrix or any(len(row) != len(self.matrix) for row in self.matrix):
            raise ValueError("matrix must be square")
        return self


class ExactSamplerConfig(ComponentConfig):
    """Options of the dynamics ``exact-sampler``."""

    frame_interval_ps: float = Field(
        1.0, gt=0, description="Nominal time between frames (ps); the samples are independent whatever it is."
    )


class CoordinatesConfig(ComponentConfig):
    """The observables ``coordinates`` have no options."""
