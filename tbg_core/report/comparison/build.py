"""Making the page that compares runs."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tbg_core.report.blocks import Code, Section
from tbg_core.report.comparison import figures_of_merit, overlays, settings
from tbg_core.report.comparison.figures_of_merit import agreement, chance
from tbg_core.report.comparison.runs import load_runs, share_draws, target_differences
from tbg_core.report.numbers import count, fixed, rounded
from tbg_core.report.page import Head, render
from tbg_core.storage.atomic import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

from tbg_core.report.comparison.runs import Compared


def build_comparison(
    runs: Sequence[Path],
    page: Path | None = None,
    reference: Path | None = None,
    *,
    observables: Sequence[str] = (),
    units: Sequence[str] = (),
) -> Path:
    """Writes one page about two or more runs of one system.

    Args:
        runs: Folders of the runs; differences are taken from the first.
        page: File to write; by default named after the runs, in the folder that holds the first.
        reference: A simulation to draw beside them.
        observables: What to show beside the usual.
        units: Units to show, e.g. ``["kcal/mol"]``.

    Returns:
        Path of the page.

    Raises:
        ConfigError: If the runs are not of one system, or an observable or a unit cannot be understood.
        StorageError: If a folder holds no ensemble, or the page cannot be written.
    """
    compared = load_runs(runs, reference, observables=observables, units=units)
    parts = [
        figures_of_merit.section(compared),
        figures_of_merit.log_z_section(compared),
        overlays.profiles_section(compared),
        overlays.averages_section(compared),
        settings.section(compared),
        _again(compared, reference, observables, units),
    ]
    path = _default_page(compared) if page is None else Path(page)
    write_text(path, render(_head(compared), [part for part in parts if part is not None]))
    return path


def _default_page(runs: Sequence[Compared]) -> Path:
    names = "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", run.name).strip("-") for run in runs)
    return runs[0].data.folder.resolve().parent / f"compare-{names[:120]}.html"


def _head(runs: Sequence[Compared]) -> Head:
    reliable = [run.data.ensemble.reliability.reliable for run in runs]
    different = target_differences(runs)
    sentence = "All runs can be relied on." if all(reliable) else f"{sum(reliable)} of {len(runs)} can be relied on."
    if not all(reliable):
        names = ", ".join(run.name for run, good in zip(runs, reliable, strict=True) if not good)
        sentence += f" Nothing is said of how far the others agree with {names}."
    elif not different:
        sentence += f" {_log_z_in_words(runs)}"
    advice = ""
    if different:
        advice = f"The targets differ in {', '.join(different)}: log Z and averages need not agree."
    label = "RELIABLE" if all(reliable) else "NOT RELIABLE"
    return Head(
        eyebrow="Comparison of Boltzmann generator runs",
        title=runs[0].data.ensemble.system.name,
        subtitle=" against ".join(run.name for run in runs),
        reliable=all(reliable) and not different,
        label="DIFFERENT TARGETS" if different and all(reliable) else label,
        sentence=sentence,
        advice=advice,
        tiles=tuple(_tile(run) for run in runs),
    )


def _log_z_in_words(runs: Sequence[Compared]) -> str:
    """How far the log Z of runs of one target are apart, the worst pair with the first."""
    first = runs[0]
    pairs = []
    for run in runs[1:]:
        a, b = first.data.ensemble.log_z, run.data.ensemble.log_z
        error = math.hypot(a.error, b.error)
        if error > 0.0 and not share_draws(first.data, run.data):
            pairs.append((abs(b.value - a.value) / error, run, b.value - a.value, error))
    if not pairs:
        return "They hold the same samples, so that their errors are not independent."
    z, run, gap, error = max(pairs, key=lambda pair: pair[0])
    word = {"agree": "agree", "in doubt": "may disagree", "disagree": "disagree"}[agreement(chance(z))]
    return f"log Z of {first.name} and {run.name} {word}: {rounded(gap, error)} ± {error:.2g} ({z:.1f} σ)."


def _tile(run: Compared) -> tuple[str, str, str]:
    verdict, log_z = run.data.ensemble.reliability, run.data.ensemble.log_z
    remark = (
        f"effective of {verdict.attempted:,}; k̂ {fixed(verdict.pareto_k)}; log Z {rounded(log_z.value, log_z.error)}"
    )
    return run.name, count(verdict.ess), remark


def _again(
    runs: Sequence[Compared], reference: Path | None, observables: Sequence[str], units: Sequence[str]
) -> Section:
    words = ["tbg", "report", *(run.name for run in runs)]
    if reference is not None:
        words += ["--reference", str(reference)]
    for text in observables:
        words += ["--observable", text]
    for unit in units:
        words += ["--unit", unit]
    return Section("reproduce", "How to reproduce", (Code(shlex.join(words)),), order=1200)
