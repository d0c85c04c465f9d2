"""Options of the executor of the core; imports no torch."""

from __future__ import annotations

from tbg_core.config.base import ComponentConfig


class LocalProcessesConfig(ComponentConfig):
    """The executor ``local`` has no options: ``--threads`` says how many processes it starts."""
