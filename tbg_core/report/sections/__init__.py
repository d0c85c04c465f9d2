"""The parts of the report, one file each; a builder returns None where a run has nothing to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tbg_core.report.sections import (
    attempted,
    conformations,
    cost,
    energies,
    expectations,
    free_energy,
    geometry,
    maps,
    provenance,
    reproduce,
    sampler,
    stereo,
    weights,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tbg_core.report.blocks import Section
    from tbg_core.report.run_data import RunData

BUILDERS: Final[tuple[Callable[[RunData], Section | None], ...]] = (
    maps.build,
    conformations.build,
    free_energy.build,
    expectations.build,
    geometry.build,
    stereo.build,
    energies.build,
    weights.build,
    sampler.build,
    attempted.build,
    cost.build,
    provenance.build,
    reproduce.build,
)
