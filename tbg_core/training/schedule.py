"""Learning-rate schedules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tbg_core.config.settings import TrainingSettings


def scheduled_rate(step: int, settings: TrainingSettings) -> float:
    """The learning rate of a training at a step, from 0, by its schedule."""
    steps, warmup, peak = settings.steps, settings.warmup, settings.learning_rate
    if settings.schedule == "one-cycle":
        return one_cycle(step, steps=steps, warmup=warmup, peak=peak, final=settings.final_learning_rate)
    if settings.schedule == "step":
        drops, factor = settings.drops, settings.drop_factor
        return dropping_rate(step, steps=steps, warmup=warmup, peak=peak, drops=drops, factor=factor)
    return learning_rate(step, steps=steps, warmup=warmup, peak=peak, final=settings.final_learning_rate)


def learning_rate(step: int, *, steps: int, warmup: int, peak: float, final: float) -> float:
    """Linear warm-up to ``peak``, then a half cosine to ``final`` at the last step.

    Args:
        step: The step about to be taken, from 0.
        steps: Steps in all.
        warmup: Steps of warm-up.
        peak: Largest rate.
        final: Rate at the end.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return final + 0.5 * (peak - final) * (1.0 + math.cos(math.pi * min(1.0, progress)))


def one_cycle(step: int, *, steps: int, warmup: int, peak: float, final: float) -> float:
    """A half cosine from ``final`` up to ``peak``, then one back to ``final``: torch's ``OneCycleLR``.

    Steps are counted as there, where the first and the last step have the rate ``final``; ``warmup`` is ``pct_start *
    steps``, and ``div_factor`` is peak / final both ways. Arguments as of :func:`learning_rate`.
    """
    turn = warmup - 1
    if step < turn:
        progress = step / turn
        return peak + 0.5 * (final - peak) * (1.0 + math.cos(math.pi * progress))
    progress = (step - turn) / max(1, steps - 1 - turn)
    return final + 0.5 * (peak - final) * (1.0 + math.cos(math.pi * min(1.0, progress)))


def dropping_rate(step: int, *, steps: int, warmup: int, peak: float, drops: tuple[float, ...], factor: float) -> float:
    """Linear warm-up to ``peak``, which is multiplied by ``factor`` at each of ``drops``.

    Args:
        step: The step about to be taken, from 0.
        steps: Steps in all.
        warmup: Steps of warm-up.
        peak: Largest rate.
        drops: Shares of all steps after which the rate is lower.
        factor: What each drop multiplies it by.
    """
    # Rounded, for 1/3 of 12 steps is no whole number in floating point.
    passed = sum(step >= round(share * steps) for share in drops)
    rate = peak * factor**passed
    return rate * (step + 1) / warmup if step < warmup else rate
