"""``report.html`` and ``thermo.json``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tbg_core.ensemble.metrics import finite
from tbg_core.report.blocks import Block, Figures, Note, Paragraph, Section, Table
from tbg_core.report.numbers import fixed, percent
from tbg_core.report.page import Head, render
from tbg_core.storage.atomic import write_json, write_text
from tbg_nonequilibrium import figures

if TYPE_CHECKING:
    from pathlib import Path

    from tbg_nonequilibrium.fluctuations import DetailedTheorem, IntegralTheorem
    from tbg_nonequilibrium.study import Study

REPORT, NUMBERS = "report.html", "thermo.json"


def write_page(study: Study, out: Path) -> dict[str, Any]:
    """Writes both files; returns what is in the second."""
    numbers: dict[str, Any] = finite(study.numbers())
    write_json(out / NUMBERS, numbers)
    sections = [
        Section("theorems", "Fluctuation theorems", _theorems(study)),
        Section("entropies", "Entropies along time", _entropies(study)),
        Section("rates", "Rates and landscape", _landscape(study)),
    ]
    if study.collapse:
        sections.append(Section("collapse", "Collapse", _collapse(study)))
    if study.worth:
        sections.append(Section("weights", "Weights", _weights(study)))
    write_text(out / REPORT, render(_head(study), sections, ""))
    return numbers


def summary(study: Study, folder: Path) -> str:
    """The outcome in lines."""
    rows = [(d.name, d.integral) for d in study.directions] + study.tests
    lines = [
        study.name,
        *(f"{name:<32}<exp(-dS)> = {_one(t)}, <dS> = {t.mean:.4g} +- {t.mean_err:.2g}" for name, t in rows),
    ]
    lines += [f"{d.name:<32}detailed theorem: slope {_slope(d.detailed)}" for d in study.directions]
    if study.known:
        lines.append(f"{'speciation':<32}t = {study.speciation:.5f}, formula {study.known['speciation_time']:.5f}")
    elif math.isfinite(study.speciation):
        lines.append(f"{'speciation':<32}t = {study.speciation:.4f}")
    return "\n".join([*lines, f"{'report':<32}{folder / REPORT}", f"{'numbers':<32}{folder / NUMBERS}"])


def _one(t: IntegralTheorem) -> str:
    tail = "" if t.decidable else f" (tail k = {t.pareto_k:.2f}: not to be relied on)"
    return f"{t.exponential:.4g} +- {t.exponential_err:.2g}{tail}"


def _slope(t: DetailedTheorem) -> str:
    """The slope, where there are two bins to draw a line through."""
    if len(t.expected) < 2:
        return "unknown (no bins with enough trajectories of the process and of its conjugate)"
    return f"{t.slope:.3f} ± {t.slope_err:.3f}"


def _head(study: Study) -> Head:
    named = [*((d.name, d.integral) for d in study.directions), *study.tests]
    theorems = [theorem for _, theorem in named]
    good = all(t.holds for t in theorems)
    violated = any(t.decidable and not t.holds for t in theorems)
    verdict = "THEOREMS HOLD" if good else ("VIOLATED" if violated else "UNDECIDED")
    sentence = {
        "THEOREMS HOLD": "<exp(-dS_tot)> is 1 within four standard errors forward, in generation and for the score.",
        "UNDECIDED": "A tail of exp(-dS_tot) is too heavy for its mean to be known: more trajectories are needed.",
        "VIOLATED": "<exp(-dS_tot)> is not 1: the score is not that of the densities, or the steps are too long.",
    }[verdict]
    tiles = tuple((name, _one(t), "<exp(-dS)>") for name, t in named)
    plan = study.plan
    return Head(
        eyebrow="Thermodynamics of a diffusion",
        title=study.name,
        subtitle=f"{plan.trajectories:,} trajectories of {plan.steps:,} steps to T = {plan.time:g}, {plan.method}, "
        f"seed {plan.seed}" + ("" if study.unit == 1.0 else f"; x in units of {study.unit:.4g}"),
        reliable=good,
        label=verdict,
        sentence=sentence,
        tiles=tiles,
    )


def _theorems(study: Study) -> tuple[Block, ...]:
    rows = [(d.name, d.integral, d) for d in study.directions]
    cells = [
        (
            name,
            f"{t.mean:.4g} ± {t.mean_err:.2g}",
            f"{t.exponential:.4g} ± {t.exponential_err:.2g}",
            f"{t.pareto_k:.2f}",
            _slope(d.detailed),
            fixed(d.detailed.chi_square),
            str(d.failed),
        )
        for name, t, d in rows
    ]
    cells += [
        (
            name,
            f"{t.mean:.4g} ± {t.mean_err:.2g}",
            f"{t.exponential:.4g} ± {t.exponential_err:.2g}",
            f"{t.pareto_k:.2f}",
            "",
            "",
            "",
        )
        for name, t in study.tests
    ]
    blocks: list[Block] = [
        Table(
            ("process", "<dS_tot> / k", "<exp(-dS_tot)>", "tail k", "slope of the detailed theorem", "chi²", "lost"),
            tuple(cells),
            "By the integral theorem the exponential mean is 1, by the detailed one the slope; with standard errors. "
            "Where the k of the tail is above 0.7, neither mean nor error can be relied on. Along its own trajectories "
            "a process obeys the theorems whatever drives it. What follows tests the score: the generative drift is "
            "integrated along data noised by the forward process, run backwards. Draws of the process ask whether its "
            "score is that of its own density; data of the target, whether it is the target's.",
        ),
        Figures(
            tuple(figures.distribution(d) for d in study.directions), title="Total entropy of trajectories", wide=True
        ),
        Figures(tuple(figures.detailed(d) for d in study.directions), title="Detailed theorem", wide=True),
    ]
    if not all(t.decidable for t in [d.integral for d in study.directions] + [t for _, t in study.tests]):
        blocks.insert(0, Note("A tail is too heavy for an exponential mean to be known."))
    return tuple(blocks)


def _entropies(study: Study) -> tuple[Block, ...]:
    caption = "Bands: two standard errors. The total never falls on average: the second law."
    return (Figures(tuple(figures.along_time(d) for d in study.directions), caption, wide=True),)


def _landscape(study: Study) -> tuple[Block, ...]:
    found = [figures.rates(study)]
    if study.landscape:
        found.append(figures.landscape(study))
    if study.known:
        found.append(figures.phases(study))
    rows = [
        ("speciation, measured", _number(study.speciation)),
        ("reverse flux turns", _number(study.rates.flux_turns)),
    ]
    if study.known:
        rows.insert(1, ("speciation, formula", _number(study.known["speciation_time"])))
        rows.append(("instability", _number(study.known["instability_time"])))
        rows.append(("phase", study.known["phase"]))
    text = "Times are those of the forward process; the dotted line marks the speciation."
    return (Figures(tuple(found), text, wide=True), Table(("time of", "t"), tuple(rows)))


def _collapse(study: Study) -> tuple[Block, ...]:
    labels = (("v", "V"), ("first", "V'"), ("second", "V''"))
    turns = tuple((f"{f.t:g}", ", ".join(f"{q:.2f}" for q in f.inflections) or "none") for f in study.collapse)
    return (
        Paragraph(
            "The Franz-Parisi potential V(q, t): free energy of another origin at squared distance q from the true one."
        ),
        Figures(tuple(figures.collapse(study, name, label) for name, label in labels), wide=True),
        Table(
            ("t", "V'' changes sign at q ="),
            turns,
            "Between points where V'' differs from zero by two standard errors.",
        ),
    )


def _weights(study: Study) -> tuple[Block, ...]:
    rows = tuple(
        (
            w.sampler,
            percent(w.ess_fraction),
            f"{w.pareto_k:.2f}",
            f"{w.log_z:.4f} ± {w.log_z_err:.4f}",
            _number(w.exact_log_z),
            f"{w.velocities:.0f}",
            f"{w.milliseconds:.3f}",
        )
        for w in study.worth
    )
    return (
        Table(
            ("weights by", "ESS", "Pareto k", "log Z", "exact", "velocities", "ms of CPU"),
            rows,
            f"{study.worth[0].attempted:,} samples each; velocities and time for each sample. Both are unbiased for Z. "
            "The density of the flow costs divergences beside its velocities; paths cost none, but their weights are "
            "less even.",
        ),
    )


def _number(value: float | None) -> str:
    return "none" if value is None or not math.isfinite(value) else f"{value:.5f}"
