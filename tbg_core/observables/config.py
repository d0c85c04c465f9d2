"""Options of the sources of observables; imports no torch."""

from __future__ import annotations

from tbg_core.config.base import ComponentConfig


class TorsionsConfig(ComponentConfig):
    """The source ``torsions`` has no options."""


class InternalCoordinatesConfig(ComponentConfig):
    """The source ``internal-coordinates`` has no options."""


class ShapeConfig(ComponentConfig):
    """The source ``shape`` has no options; atoms and reference of an RMSD are part of its text."""


class JCouplingsConfig(ComponentConfig):
    """The source ``j-couplings`` has no options; the Karplus parameters are named in the text, after ``@``."""
