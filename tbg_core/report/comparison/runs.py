"""The runs that are compared, and whether they can be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.errors import ConfigError
from tbg_core.report.run_data import load_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.report.run_data import RunData

# What a target says of where and with what it was computed, which changes no distribution.
_MACHINE: Final = ("platform", "device", "threads", "precision")

_COLOURS: Final = ("#1f5fbf", "#d97706", "#12866f", "#b5447f", "#7a6a00", "#5f6b7a")
"""Told apart by the colour-blind, and on a dark page; line styles differ too."""

_DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))


@dataclass(frozen=True, eq=False)
class Compared:
    """One run of a comparison.

    Attributes:
        name: What it is called: the folder, as far as it is needed to tell the runs apart.
        data: The run.
        colour: Of its curves.
        dashes: Line style of its curves.
    """

    name: str
    data: RunData
    colour: str
    dashes: Any


def load_runs(
    folders: Sequence[Path],
    reference: Path | None = None,
    *,
    observables: Sequence[str] = (),
    units: Sequence[str] = (),
) -> tuple[Compared, ...]:
    """Reads runs of one system.

    Raises:
        ConfigError: If there are fewer than two, too many, one twice, or they are of different systems.
        StorageError: If a folder holds no ensemble.
    """
    paths = [Path(folder) for folder in folders]
    if not 2 <= len(paths) <= len(_COLOURS):
        raise ConfigError(f"a comparison takes two to {len(_COLOURS)} runs, not {len(paths)}.")
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        twice = next(path for path, full in zip(paths, resolved, strict=True) if resolved.count(full) > 1)
        raise ConfigError(f"the run {twice} is named twice.", fix="Name different folders.")
    runs = [load_run(path, reference, observables=observables, units=units) for path in paths]
    first = runs[0].ensemble.system
    for path, run in zip(paths, runs, strict=True):
        if run.ensemble.system.key != first.key:
            raise ConfigError(
                f"{paths[0]} is of {first.name}, {path} of {run.ensemble.system.name}: they cannot be compared.",
                fix="Compare runs of one system; log Z and profiles of different ones have nothing in common.",
            )
    names = _names(resolved)
    return tuple(
        Compared(name, run, colour, dashes)
        for name, run, colour, dashes in zip(names, runs, _COLOURS, _DASHES, strict=False)
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that differ."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def target_differences(runs: Sequence[Compared]) -> list[str]:
    """What makes the targets of the runs different distributions, in words; empty if nothing does."""
    found = []
    temperatures = [run.data.ensemble.temperature_K for run in runs]
    if len(set(temperatures)) > 1:
        found.append("temperature (" + ", ".join(f"{t:g} K" for t in temperatures) + ")")
    energies = [str(run.data.metrics.get("energy")) for run in runs]
    if len(set(energies)) > 1:
        found.append("energy (" + ", ".join(energies) + ")")
        return found
    described = [dict(run.data.provenance.get("target") or {}) for run in runs]
    shared = set.intersection(*(set(d) for d in described)) - {"temperature_K"}
    for key in sorted(shared):
        values = [json.dumps(d[key], sort_keys=True) for d in described]
        machine = key.endswith("version") or key.startswith(_MACHINE)
        if len(set(values)) > 1 and not machine:
            found.append(f"{key} ({', '.join(values)})")
    return found


def share_draws(first: RunData, second: RunData) -> bool:
    """True if the runs hold the same samples, as after ``tbg reweight``, so that their errors are not independent."""
    a, b = first.ensemble.positions, second.ensemble.positions
    n = min(len(a), len(b), 64)
    return bool(n) and np.array_equal(a[:n], b[:n], equal_nan=True)
