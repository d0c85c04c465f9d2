"""Where the numbers come from and how to have them again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from tbg_core.molecule import Molecule
from tbg_core.report.blocks import Block, Code, Section, Table

if TYPE_CHECKING:
    from tbg_core.report.run_data import RunData

_SKIPPED: Final = {"versions", "command", "seconds"}


def build(run: RunData) -> Section:
    """Facts, commands and the resolved configuration."""
    system = run.ensemble.system
    facts = [("system", system.describe() if isinstance(system, Molecule) else system.name)]
    facts.append(("system key", system.key))
    for name, version in (run.provenance.get("versions") or {}).items():
        if version:
            facts.append((str(name), str(version)))
    facts += [(str(k), _plain(v)) for k, v in sorted(run.provenance.items()) if k not in _SKIPPED and v is not None]
    command = run.provenance.get("command")
    lines = []
    if command:
        lines += ["# the command that was given", str(command), ""]
    lines += [
        "# from the resolved configuration in this folder",
        f"tbg run --config {shlex.quote(run.folder.name + '/config.yaml')} --out again",
        "",
        "# in Python",
        "from tbg_core import Ensemble",
        f"ensemble = Ensemble.load({run.folder.name!r})",
    ]
    blocks: list[Block] = [
        Table(("Fact", "Value"), tuple(facts)),
        Code("\n".join(lines)),
    ]
    if run.config:
        blocks.append(Code(run.config, summary="Resolved configuration (config.yaml)"))
    return Section("provenance", "Provenance and how to reproduce", tuple(blocks), order=1100)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
