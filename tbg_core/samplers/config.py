"""Options of the samplers."""

from __future__ import annotations

from tbg_core.config.base import ComponentConfig


class ImportanceSamplerConfig(ComponentConfig):
    """Plain importance sampling has no options: no weight is clipped and no sample left out."""
