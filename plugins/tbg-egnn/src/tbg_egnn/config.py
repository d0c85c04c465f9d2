"""Options of the EGNN field."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class EGNNConfig(ComponentConfig):
    """Size, input encoding and time features of the EGNN.

    The defaults are the paper's network for alanine dipeptide but for the time features, of which the paper has none;
    for dipeptides it uses 9 layers of width 128.
    """

    layers: int = Field(5, ge=1, description="Message-passing layers L.")
    width: int = Field(64, ge=1, description="Hidden width H (units).")
    encoding: Literal["element", "backbone", "full"] = Field(
        "full", description="What the network knows of an atom: its element, its place in the backbone, or its name."
    )
    n_features: int | None = Field(
        None, ge=1, description="Length of the encoding; found from the training molecules when left out."
    )
    molecule: str | None = Field(
        None,
        description="Key of the one molecule that the encoding is for; found in training (capped molecules, unless "
        "encoding is element).",
    )
    time_frequencies: int = Field(
        4,
        ge=0,
        le=32,
        description="Extra time features sin and cos of pi k t, k = 1..n; 0 feeds only t itself, as the paper does.",
    )
