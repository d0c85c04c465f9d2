"""Where the numbers come from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tbg_core.molecule import Molecule
from tbg_core.report.blocks import Section, Table

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData

# What other sections show.
_SKIPPED: Final = {"command", "seconds", "cpu_seconds", "energy_evaluations"}


def build(run: RunData) -> Section:
    """Every fact that the run recorded of itself."""
    system = run.ensemble.system
    facts = [("system", system.describe() if isinstance(system, Molecule) else system.name), ("system key", system.key)]
    for key, value in sorted(run.provenance.items()):
        if key not in _SKIPPED and value is not None:
            facts += _flat(str(key), value)
    return Section("provenance", "Provenance", (Table(("Fact", "Value"), tuple(facts), prose=True),), order=1100)


def _flat(key: str, value: Any) -> list[tuple[str, str]]:
    """Nested facts one by one: ``versions: torch``."""
    if isinstance(value, dict) and value:
        return [row for name, entry in sorted(value.items()) for row in _flat(f"{key}: {name}", entry)]
    return [(key, value if isinstance(value, str) else json.dumps(value, sort_keys=True))]
