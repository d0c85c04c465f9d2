"""``report.html`` and ``labels.json``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_assignment import figures
from tbg_core.ensemble.metrics import finite
from tbg_core.report.blocks import Block, Figures, Paragraph, Section, Table
from tbg_core.report.numbers import count, percent, rounded
from tbg_core.report.page import Head, render
from tbg_core.storage.atomic import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tbg_assignment.judgement import Judgement

REPORT, NUMBERS = "report.html", "labels.json"
_SHOWN: Final = 16
_KNOWN: Final = 0.5
"""Standard error of a log-probability, nats, above which it is not known."""


def write_page(found: Sequence[Judgement], out: Path) -> list[dict[str, Any]]:
    """Writes both files; returns what is in the second."""
    numbers: list[dict[str, Any]] = finite([j.numbers() for j in found])
    write_json(out / NUMBERS, numbers)
    sections = [Section("overview", "Model and exact distribution", _overview(found))]
    sections += [Section(f"system-{i}", j.system.name, _one(j)) for i, j in enumerate(found)]
    sections.append(Section("method", "How it was computed", (Paragraph(_method(found[0])),)))
    write_text(out / REPORT, render(_head(found), sections, ""))
    return numbers


def summary(found: Sequence[Judgement], folder: Path) -> str:
    """The outcome in lines."""
    lines = []
    for j in found:
        lines.append(f"{j.system.name}: {len(j.found.labels)} labellings, {_verdict(j)}")
        kl, error = j.divergence
        if math.isfinite(kl):
            product = "" if j.exact is None else f" (product of marginals {j.exact.information:.4g})"
            lines.append(f"  KL(exact || model)  {kl:.4g} +- {error:.2g} nats{product}")
        else:
            lines += [f"  {_name(a)}  log p = {v:.4g} +- {e:.2g}" for a, v, e in _rows(j)]
        lines += [f"  held out, {s.name}: {s.log_p:.4g}, gain {s.gain:.4g} +- {s.gain_err:.2g} nats" for s in j.scores]
        lines.append(f"  ESS of the run {100 * j.ess_fraction:.3g} %")
    return "\n".join([*lines, f"report   {folder / REPORT}", f"numbers  {folder / NUMBERS}"])


def _rows(j: Judgement) -> list[tuple[np.ndarray, float, float]]:
    return list(zip(j.found.labels, j.found.unbiased.tolist(), j.found.log_p_err.tolist(), strict=True))


def _name(labels: np.ndarray) -> str:
    return ",".join(map(str, labels))


def _unknown(j: Judgement) -> int:
    """How many probabilities are not known to :data:`_KNOWN`."""
    return int((~(j.found.log_p_err < _KNOWN)).sum())


def _verdict(j: Judgement) -> str:
    return f"{_unknown(j)} not known to {_KNOWN:g} nats" if _unknown(j) else f"all known to {_KNOWN:g} nats"


def _head(found: Sequence[Judgement]) -> Head:
    unknown, labellings = sum(map(_unknown, found)), sum(len(j.found.labels) for j in found)
    good = unknown <= 0.1 * labellings
    tiles = tuple(
        (j.system.name, f"{j.divergence[0]:.3g} ± {j.divergence[1]:.1g}", "KL(exact || model), nats")
        for j in found
        if math.isfinite(j.divergence[0])
    )
    return Head(
        eyebrow="Probabilities of labellings",
        title=found[0].system.name if len(found) == 1 else f"{len(found)} systems",
        subtitle=f"{labellings:,} labellings, {found[0].found.draws} states each",
        reliable=good,
        label="PROBABILITIES KNOWN" if good else "PROBABILITIES UNCERTAIN",
        sentence=f"{labellings - unknown:,} of {labellings:,} log-probabilities have a standard error below {_KNOWN:g} "
        "nats.",
        advice=""
        if good
        else "Draw more states (--draws); if that does not help, the flow has not arrived at its labels.",
        tiles=tiles[:6],
    )


def _overview(found: Sequence[Judgement]) -> tuple[Block, ...]:
    rows = tuple(
        (
            j.system.name,
            "x".join(map(str, j.system.space.event_shape)),
            _pm(*j.divergence),
            "–" if j.exact is None else f"{j.exact.information:.4g}",
            f"{len(j.found.labels):,}{'' if j.complete else ' drawn' if j.weights.any() else ' chosen'}",
            _pm(*j.total) if j.complete else "–",
            percent(j.ess_fraction),
            _pm(j.log_z.value, j.log_z.error),
            "–" if j.exact is None else f"{j.exact.log_z:.5g}",
        )
        for j in found
    )
    columns = (
        "system",
        "variables x classes",
        "KL(exact || model)",
        "KL of the product of marginals",
        "labellings",
        "their probability",
        "ESS of the run",
        "log Z of the run",
        "exact",
    )
    caption = (
        "In nats, with standard errors. The product of marginals is the best model of independent variables. ESS and "
        "log Z are those of the samples of the run, weighted by its energy."
    )
    blocks: list[Block] = [Table(columns, rows, caption)]
    if any(len(members) > 1 for members in figures.families(found).values()):
        blocks.append(Figures((figures.scaling(found),), "Bars: two standard errors.", wide=True))
    return tuple(blocks)


def _one(j: Judgement) -> tuple[Block, ...]:
    drawn = [figures.calibration(j)] if np.isfinite(j.log_mu).any() else []
    blocks: list[Block] = []
    if j.scores:
        rows = tuple((s.name, f"{s.log_p:.4f}", _pm(s.gain, s.gain_err)) for s in j.scores)
        text = (
            "Mean log-likelihood, nats, of frames that took no part in training, and how much more it is than that of "
            "independent variables."
        )
        blocks.append(Table(("model of the labels", "log-likelihood", "gain"), rows, text))
    if j.system.space.variables == 2 and j.complete:
        drawn += figures.maps(j)
    if drawn:
        blocks.append(Figures(tuple(drawn), "Bars: two standard errors. Dark: probable.", wide=len(drawn) == 1))
    return (*blocks, _most_probable(j))


def _most_probable(j: Judgement) -> Table:
    order = np.argsort(-np.exp(j.found.log_p), kind="stable")[:_SHOWN]
    rows = tuple(
        (
            _name(j.found.labels[k]),
            _pm(math.exp(j.found.log_p[k]), math.exp(j.found.log_p[k]) * j.found.log_p_err[k]),
            f"{math.exp(j.log_mu[k]):.4g}" if not math.isnan(j.log_mu[k]) else "–",
            _pm(float(j.found.unbiased[k]), float(j.found.log_p_err[k])),
            f"{j.found.bits_per_variable[k]:.3f}",
            count(float(j.found.ess[k])),
        )
        for k in order
    )
    names = f"Variables: {', '.join(j.system.variable_names)}. " if j.system.variable_names else ""
    return Table(
        ("labelling", "p, model", "exact", "log p", "bits / variable", "effective states"),
        rows,
        f"{names}The most probable of those that were computed.",
    )


def _pm(value: float, error: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{rounded(value, error)} ± {error:.2g}"


def _method(j: Judgement) -> str:
    return (
        "The probability of a labelling is the integral of the density of the flow over the states whose largest "
        f"logits are its labels. {j.found.draws} states are drawn around the place where a flow that has learned "
        "arrives with that labelling, 90 % from a narrow Gaussian and 10 % from a wide one; the mean of the indicator "
        "times the ratio of densities is unbiased, its spread the error. Logarithms are corrected for that spread. "
        f"Error of log q by the likelihood rule: {j.found.log_q_err:.1g} nats (rms; its estimates are overestimates)."
    )
