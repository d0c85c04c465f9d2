"""Options of the datasets; none so far."""

from __future__ import annotations

from tbg_core.config.base import ComponentConfig


class PeptidesConfig(ComponentConfig):
    """The datasets have no options of their own: how they are simulated is set by ``-s`` of ``tbg datasets make``."""
