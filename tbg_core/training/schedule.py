"""Learning-rate schedule."""

from __future__ import annotations

import math


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
