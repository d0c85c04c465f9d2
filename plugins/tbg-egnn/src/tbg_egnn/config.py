"""Options of the fields."""

from __future__ import annotations

from pydantic import Field

from tbg_core.molecule.config import EncodingConfig


class GraphConfig(EncodingConfig):
    """What both networks have: width and time features."""

    width: int = Field(64, ge=1, description="Hidden width H (units).")
    time_frequencies: int = Field(
        4,
        ge=0,
        le=32,
        description="Extra time features sin and cos of pi k t, k = 1..n; 0 feeds only t itself, as the paper does.",
    )


class HollowConfig(GraphConfig):
    """Size, input encoding and time features of the hollow network."""

    vectors: int = Field(8, ge=1, description="Vectors that describe the surroundings of an atom (channels C).")


class EGNNConfig(GraphConfig):
    """Size, input encoding and time features of the EGNN.

    The defaults are the paper's network for alanine dipeptide but for the time features, of which the paper has none;
    for dipeptides it uses 9 layers of width 128.
    """

    layers: int = Field(5, ge=1, description="Message-passing layers L.")
