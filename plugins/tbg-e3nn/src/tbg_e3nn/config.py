"""Options of the tensor-product field."""

from __future__ import annotations

from pydantic import Field

from tbg_core.molecule.config import EncodingConfig


class TensorProductConfig(EncodingConfig):
    """Size, parity and time features of the tensor-product network."""

    layers: int = Field(4, ge=1, description="Message-passing layers L.")
    scalars: int = Field(64, ge=1, description="Features l = 0 of each atom (channels).")
    channels: int = Field(8, ge=1, description="Features of each atom for every l from 1 to lmax (channels).")
    lmax: int = Field(1, ge=1, le=3, description="Largest degree l of features and spherical harmonics.")
    edge_width: int = Field(48, ge=1, description="Hidden width of the network on pairs of atoms (units).")
    mix_parities: bool = Field(
        True,
        description="Couple features of either parity, so that mirror images are told apart (SE(3)). Off, the field "
        "commutes with reflections too (E(3)), as the EGNN does.",
    )
    time_frequencies: int = Field(
        4, ge=0, le=32, description="Time features sin and cos of pi k t, k = 1..n, beside t and a logarithm of 1 - t."
    )
