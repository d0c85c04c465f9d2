"""Options of the dataset; none so far."""

from __future__ import annotations

from tbg_core.config.base import ComponentConfig


class DipeptidesConfig(ComponentConfig):
    """The dataset has no options of its own: how it is simulated is set by ``-s`` of ``tbg datasets make``."""
