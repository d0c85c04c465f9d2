"""Options that fields for molecules share; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tbg_core.config.base import ComponentConfig


class EncodingConfig(ComponentConfig):
    """What a network knows of each atom: see :mod:`tbg_core.molecule.encodings`.

    ``n_features``, ``seen`` and ``molecule`` are found by :func:`tbg_core.molecule.encoder.adapt`, and stored in the
    checkpoint.
    """

    encoding: Literal["element", "backbone", "full"] = Field(
        "full", description="What the network knows of an atom: its element, its place in the backbone, or its name."
    )
    n_features: int | None = Field(
        None, ge=1, description="Length of the encoding; found from the training molecules when left out."
    )
    seen: tuple[str, ...] | None = Field(
        None, description="Kinds of atoms in training, each by the numbers of its features; found in training."
    )
    molecule: str | None = Field(
        None,
        description="Key of the one molecule that the encoding is for; found in training (capped molecules, unless "
        "encoding is element).",
    )
