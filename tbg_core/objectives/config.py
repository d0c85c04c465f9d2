"""Options of the training objectives; imports no torch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from tbg_core.config.base import ComponentConfig


class FlowMatchingConfig(ComponentConfig):
    """Options of conditional flow matching."""

    sigma: float = Field(
        0.0, ge=0, description="Standard deviation of the noise on x_t (length scales); the paper takes 0.01."
    )
    coupling: Literal["auto", "independent", "kabsch", "equivariant"] = Field(
        "auto",
        description="How prior draws and data are paired: as drawn (independent, the paper's way), each prior draw "
        "rotated onto its datum (kabsch), or its atoms that flow and prior see alike exchanged too (equivariant). "
        "auto: kabsch where field and prior commute with rotations.",
    )
    align_reflections: bool | None = Field(
        None,
        description="Let the alignment use reflections too; left out: if field and prior commute with them.",
    )
    time_law: Literal["uniform", "stratified", "beta"] = Field(
        "beta",
        description="Law of t on [0, 1]: independent and uniform; uniform with one t in each of B equal "
        "intervals, which lowers the variance of the loss; or Beta(time_alpha, time_beta).",
    )
    time_alpha: float = Field(1.0, gt=0, description="First shape of the Beta law; above 1 favours data.")
    time_beta: float = Field(0.5, gt=0, description="Second shape of the Beta law; above 1 favours the prior.")
    energy: str | dict[str, Any] | None = Field(
        None,
        description="The energy that the data are samples of, a name or with its options: its forces take noise out of "
        "the targets near the data. Left out: learning from data alone. Needs sigma = 0.",
    )
    temperature_K: float | None = Field(None, gt=0, description="Temperature of the data (K); left out: the energy's.")
    force_reach: float = Field(
        0.15, gt=0, description="Distance 1 - t from the data at which half of the noise that forces see is taken out."
    )

    @model_validator(mode="after")
    def _straight(self) -> FlowMatchingConfig:
        if self.energy is not None and self.sigma > 0:
            raise ValueError("forces sharpen targets of straight paths alone: set sigma to 0, or leave out the energy.")
        if self.energy is not None and self.coupling == "equivariant":
            raise ValueError("forces know no exchanges of atoms: set coupling to kabsch, or leave out the energy.")
        return self


class MaximumLikelihoodConfig(ComponentConfig):
    """Options of maximum likelihood."""

    augment: bool = Field(
        True, description="Replace data by states that the target cannot tell from them, where the model knows such."
    )


class ReverseKLConfig(ComponentConfig):
    """Options of the reverse Kullback-Leibler divergence."""

    energy: str | dict[str, Any] = Field("openmm", description="The energy to learn from: a name, or with its options.")
    temperature_K: float | None = Field(None, gt=0, description="Temperature (K); left out: that of the energy.")
    margin: float = Field(
        100.0,
        gt=0,
        description="Draws whose u + log q lies this far above the median of their batch are left out of the loss "
        "(kT): one clash of atoms would decide the step.",
    )
