"""What was set differently in the runs, and the figures that follow from their machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tbg_core.report.blocks import Block, Code, Paragraph, Section, Table
from tbg_core.report.numbers import ABSENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.report.comparison.runs import Compared


def section(runs: Sequence[Compared]) -> Section:
    """Settings that differ in a table, the others folded away."""
    flat = [flattened(run.data.config) for run in runs]
    keys = list(dict.fromkeys(key for settings in flat for key in settings))
    same = [key for key in keys if len({settings.get(key, ABSENT) for settings in flat}) == 1]
    different = [key for key in keys if key not in set(same)]
    blocks: list[Block] = []
    if different:
        rows = tuple((key, *(settings.get(key, ABSENT) for settings in flat)) for key in different)
        columns = ("Setting", *(run.name for run in runs))
        blocks.append(Table(columns, rows, "Settings that differ; a dash: not set in this run.", prose=True))
    else:
        blocks.append(Paragraph("All settings are the same."))
    if same:
        text = "\n".join(f"{key}: {flat[0][key]}" for key in same)
        blocks.append(Code(text, summary=f"{len(same)} settings that are the same"))
    return Section("settings", "Settings", tuple(blocks), order=500)


def flattened(text: str) -> dict[str, str]:
    """A configuration file as dotted paths and values; empty where it cannot be read."""
    try:
        content = yaml.safe_load(text) if text else {}
    except yaml.YAMLError:
        return {}
    found: dict[str, str] = {}
    _flatten("", content if isinstance(content, dict) else {}, found)
    return found


def _flatten(path: str, value: Any, found: dict[str, str]) -> None:
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            _flatten(f"{path}.{key}" if path else str(key), entry, found)
    else:
        found[path] = value if isinstance(value, str) else json.dumps(value, default=str)
