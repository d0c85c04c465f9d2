"""The weights: their spread, who holds them, and whether the halves agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.ensemble.weights import TRIMMED_FRACTION, kish_ess, normalised
from tbg_core.report.blocks import Block, Figure, Figures, Note, Paragraph, Section, Table
from tbg_core.report.numbers import count, fixed, percent
from tbg_core.report.plotting import GRID, MUTED, REWEIGHTED, legend_above, new_plot, to_svg
from tbg_core.report.sections.heaviest import heaviest

if TYPE_CHECKING:
    from markupsafe import Markup

    from tbg_core.ensemble.ensemble import Ensemble
    from tbg_core.report.run_data import RunData


def build(run: RunData) -> Section:
    """Three views of the weights, the heaviest samples, split halves."""
    ensemble = run.ensemble
    log_w = ensemble.ancestor_log_weights
    if not np.isfinite(log_w).any():
        return Section("weights", "Weights", (Note("No sample is valid."),), order=500)
    figures = (
        Figure(
            _histogram(log_w),
            "Log-weights",
            "0 is the largest. Grey: number of samples; blue: share of the total weight. Blue at the right edge: few "
            "samples decide.",
        ),
        Figure(
            _cumulative(log_w),
            "Cumulative weight",
            "Straight line: equal weights, as an exact model would give.",
        ),
        Figure(_growth(log_w), "ESS as samples came in", "Straight line: even progress. A drop: one sample took over."),
    )
    blocks: list[Block] = [Figures(figures), Paragraph(_text(ensemble, log_w)), _halves(ensemble, log_w)]
    blocks += heaviest(run)
    return Section("weights", "Weights", tuple(blocks), order=500)


def _text(ensemble: Ensemble, log_w: np.ndarray) -> str:
    summary = ensemble.weight_summary
    largest = ", ".join(percent(weight) for weight in summary.largest[:5])
    return (
        f"Half of the weight is held by {summary.samples_for_half:,} of {len(log_w):,} samples; "
        f"the largest weights are {largest}. Without the largest {percent(TRIMMED_FRACTION)} of the weights "
        f"the ESS would be {count(summary.ess_trimmed)} instead of {count(summary.ess)}; that figure is biased and "
        "shown for comparison with published ones only."
    )


def _halves(ensemble: Ensemble, log_w: np.ndarray) -> Table:
    summary = ensemble.weight_summary
    half = len(log_w) // 2
    rows = (
        (f"first half ({half:,})", count(summary.half_ess[0]), fixed(summary.half_log_z[0], 3)),
        (f"second half ({len(log_w) - half:,})", count(summary.half_ess[1]), fixed(summary.half_log_z[1], 3)),
        (f"all ({len(log_w):,})", count(summary.ess), fixed(ensemble.log_z.value, 3)),
    )
    return Table(("Samples", "ESS", "log Z"), rows, "Split halves: where they disagree, a few samples decide.")


def _histogram(log_w: np.ndarray) -> Markup:
    finite = log_w[np.isfinite(log_w)]
    shifted = finite - finite.max()
    low = max(float(np.quantile(shifted, 0.01)), -60.0)
    edges = np.linspace(min(low, -1.0), 0.0, 41)
    drawing, axes = new_plot(3.3, 2.5)
    counts, _ = np.histogram(shifted, bins=edges)
    share, _ = np.histogram(shifted, bins=edges, weights=normalised(finite))
    axes.stairs(counts / counts.max(initial=1), edges, color=MUTED, linewidth=1.3, label="samples")
    axes.stairs(share / share.max(), edges, color=REWEIGHTED, fill=True, alpha=0.45, label="weight")
    axes.set(xlabel="log w − max log w", ylabel="relative to the peak", xlim=(edges[0], 0.0))
    axes.set_yticks([])
    legend_above(axes, tight=True)
    return to_svg(drawing, "log-weights", "histogram of log-weights")


def _cumulative(log_w: np.ndarray) -> Markup:
    w = np.sort(normalised(log_w))[::-1]
    n = len(w)
    share = np.concatenate([[0.0], np.cumsum(w)])
    # At most 300 points of a monotone curve, dense at the start.
    points = np.unique(np.round(n * np.linspace(0.0, 1.0, 300) ** 2).astype(int))
    drawing, axes = new_plot(3.3, 2.5)
    axes.plot([0.0, 100.0], [0.0, 100.0], color=MUTED, linewidth=0.8)
    axes.plot(100.0 * points / n, 100.0 * share[points], color=REWEIGHTED)
    axes.fill_between(100.0 * points / n, 100.0 * share[points], color=REWEIGHTED, alpha=0.12, linewidth=0)
    axes.axhline(50.0, color=GRID, linewidth=0.7)
    axes.set(xlabel="samples, largest first / %", ylabel="of the weight / %", xlim=(0, 100), ylim=(0, 101))
    return to_svg(drawing, "cumulative", "cumulative weight of the samples sorted by weight")


def _growth(log_w: np.ndarray) -> Markup:
    """ESS of the first n samples."""
    n = len(log_w)
    points = np.unique(np.linspace(min(8, n), n, 120).astype(int))
    ess = [kish_ess(log_w[:k]) for k in points]
    drawing, axes = new_plot(3.3, 2.5)
    axes.plot([0.0, n], [0.0, ess[-1]], color=MUTED, linewidth=0.8)
    axes.plot(points, ess, color=REWEIGHTED)
    axes.set(xlabel="samples attempted", ylabel="ESS", xlim=(0, n), ylim=(0, 1.08 * max(ess)))
    axes.grid(axis="y")
    return to_svg(drawing, "ess-growth", "effective sample size of the first samples against their number")
