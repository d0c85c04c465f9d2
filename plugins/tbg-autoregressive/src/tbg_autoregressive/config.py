"""Options of the autoregressive proposal; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class AutoregressiveConfig(ComponentConfig):
    """Size of the network and of the densities."""

    width: int = Field(64, ge=8, description="Width of all hidden layers (units); a multiple of heads.")
    heads: int = Field(4, ge=1, description="Attention heads.")
    layers: int = Field(2, ge=1, description="Attention layers over the atoms placed before.")
    chemistry_layers: int = Field(4, ge=0, description="Message-passing layers along bonds.")
    torsion_components: int = Field(12, ge=1, description="Wrapped normals in the mixture of a torsion.")
    residual_components: int = Field(
        3, ge=1, description="Normals in the mixture of a bond, an angle or a stiff torsion."
    )
    dtype: Literal["float32", "float64"] = Field(
        "float32", description="Type of the network; geometry and log q of samples are float64 in any case."
    )
    rows: int | None = Field(
        None, ge=1, description="Rows of the table of linear predictions; found from the training molecules."
    )
    coefficients: int | None = Field(
        None, ge=0, description="Coefficients in that table; found from the training molecules."
    )
