"""The page of a benchmark, and the same in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tbg_core.benchmark import tables
from tbg_core.benchmark.summary import ESS, VALID, distance, dropped, floor, over_systems
from tbg_core.ensemble.metrics import finite
from tbg_core.report.blocks import Block, Note, Paragraph, Section
from tbg_core.report.numbers import ABSENT, fixed, percent
from tbg_core.report.page import Head, render
from tbg_core.storage.atomic import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tbg_core.benchmark.published import Published

RESULTS, PAGE, MARKDOWN = "results.json", "report.html", "results.md"

DEFINITIONS: Final = (
    "ESS: (sum w)² / (n sum w²) over all n attempted samples, invalid ones with weight zero. E-W2: Wasserstein-2 "
    "distance of U/kT. T-W2: of all phi and psi on the torus. TICA-W2: in the first two time-lagged independent "
    "components. JSD: Jensen-Shannon divergence of twenty Ramachandran clusters. phi error: difference of the free "
    "energy of phi in 0 to 120 degrees. Weighted samples are drawn by weight (multinomially) before distances are "
    "computed; up to 10,000 for E-W2."
)


def write_results(
    out: Path,
    entries: Sequence[Mapping[str, Any]],
    published: Sequence[Published],
    *,
    title: str,
    label: str,
    about: Sequence[str] = (),
) -> list[Path]:
    """Writes ``results.json``, ``results.md`` and ``report.html`` into the folder of a benchmark; returns the paths.

    Args:
        out: The folder.
        entries: What was measured.
        published: Figures of papers for the same systems.
        title: What was measured.
        label: Name of the model.
        about: Remarks on published figures.
    """
    main, every = tables.beside_published(entries, published, label), tables.over_all(entries)
    each = [table for table in (tables.weights_by_system(entries), tables.distances_by_system(entries)) if table]
    seen = [entry["system"] for entry in entries if entry["trained_on"]]
    warning = f"In the model's training, so that their figures are not zero-shot: {', '.join(seen)}." if seen else ""
    notes = [*_notes(entries), *about, *_sources(published)]
    sections = [
        Section("table", "Beside published work", (*_note(warning), main, *(Paragraph(text) for text in notes))),
        Section("systems", "System by system", tuple(each)),
        Section("figures", "All figures", (every, *_validity(entries))),
        Section("definitions", "What the figures are", (Paragraph(DEFINITIONS),)),
    ]
    written = [out / name for name in (RESULTS, MARKDOWN, PAGE)]
    write_json(written[0], finite({"title": title, "model": label, "systems": list(entries)}))
    parts = [f"# {title}\n", warning, tables.markdown(main), *(f"* {text}\n" for text in notes)]
    parts += ["## System by system\n", *(tables.markdown(table) for table in each)]
    parts += ["## All figures\n", tables.markdown(every)]
    write_text(written[1], "\n".join([*parts, DEFINITIONS, ""]))
    write_text(written[2], render(_head(entries, title, label), sections))
    return written


def _head(entries: Sequence[Mapping[str, Any]], title: str, label: str) -> Head:
    ess = over_systems(entries, ESS)
    reliable = sum(all(run["reliable"] for run in entry["runs"]) for entry in entries)
    tiles = [("systems", str(len(entries)), f"{len(entries[0]['runs'])} runs each")]
    if ess is not None:
        remark = f"median {percent(ess.median)}, worst {percent(ess.worst)} ({ess.worst_system})"
        tiles.append(("mean ESS", percent(ess.mean), remark))
    if (valid := over_systems(entries, VALID)) is not None:
        tiles.append(("valid", percent(valid.mean), f"worst {percent(valid.worst)} ({valid.worst_system})"))
    for key, name in (("e_w2", "E-W2"), ("t_w2", "T-W2")):
        if (found := over_systems(entries, distance(key, "reweighted"))) is not None:
            halves = fixed(floor(entries, key)[0])
            tiles.append((name, fixed(found.mean), f"halves of the reference {halves}; worst {found.worst_system}"))
    return Head(
        eyebrow="Benchmark of a transferable Boltzmann generator",
        title=title,
        subtitle=label,
        reliable=reliable == len(entries),
        label="RELIABLE" if reliable == len(entries) else "NOT RELIABLE EVERYWHERE",
        sentence=f"The weights of {reliable} of {len(entries)} systems can be relied on in every run.",
        tiles=tuple(tiles),
    )


def _notes(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader must know before comparing a figure."""
    notes = []
    with_reference = [entry for entry in entries if entry["reference"]]
    if with_reference:
        points = sorted({entry["reference"]["points"] for entry in with_reference})
        frames = sorted({entry["reference"]["frames"] for entry in with_reference})
        walkers = sorted({entry["reference"]["walkers"] for entry in with_reference})
        notes.append(
            f"References: {_range(frames)} frames of {_range(walkers)} walkers. T-W2 and TICA-W2 are of "
            f"{_range(points)} points. Two samples of one distribution are a distance "
            "apart that shrinks with their numbers: 'halves' shows how far two halves of the reference are, so that a "
            "figure near it cannot be told from perfect, and one of fewer points than a paper's is larger, not smaller."
        )
    reasons: dict[str, list[str]] = {}
    for entry in entries:
        for what, why in entry["absent"].items():
            label = {"reference": "No distances", "tica_w2": "No TICA-W2"}.get(what, what)
            reasons.setdefault(f"{label}: {why}", []).append(entry["system"])
    for reason, names in reasons.items():
        notes.append(reason + ("." if len(names) == len(entries) else f" ({', '.join(names)})."))
    return notes


def _note(text: str) -> tuple[Block, ...]:
    return (Note(text),) if text else ()


def _sources(published: Sequence[Published]) -> list[str]:
    """Which row is from which paper."""
    rows: dict[str, list[str]] = {}
    for row in published:
        rows.setdefault(row.source, []).append(row.model)
    return [f"{source}: {'; '.join(models)}." for source, models in rows.items()]


def _validity(entries: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    found = dropped(entries)
    if not found:
        return (Paragraph("Every attempted sample was valid."),)
    words = ", ".join(f"{reason.replace('_', ' ')} {percent(share)}" for reason, share in found.items())
    return (Paragraph(f"Why samples were not valid, of all attempted: {words}."),)


def _range(values: Sequence[int]) -> str:
    if not values:
        return ABSENT
    return f"{values[0]:,}" if values[0] == values[-1] else f"{values[0]:,} to {values[-1]:,}"
