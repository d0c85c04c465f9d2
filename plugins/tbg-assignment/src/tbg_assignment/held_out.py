"""What a model of labels is worth on frames that it has not seen, beside simpler ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tbg_assignment.label_file import LabelFile


@dataclass(frozen=True)
class Score:
    """Mean log-likelihood of held-out frames.

    Attributes:
        name: Of the model of the labels.
        log_p: Mean over the held-out frames, nats.
        gain: ``log_p`` less that of the product of marginals.
        gain_err: Standard error of ``gain``, by the number of independent frames and that of the model's likelihoods.
    """

    name: str
    log_p: float
    gain: float
    gain_err: float


def held_out_scores(
    content: LabelFile, log_p: NDArray[np.float64], log_p_err: NDArray[np.float64]
) -> tuple[Score, ...]:
    """Scores of the product of marginals, of the frequencies themselves, and of a model; none without held-out frames.

    Args:
        content: Labellings and frames.
        log_p: log-probabilities of its labellings under the model [K].
        log_p_err: Their standard errors [K].
    """
    q = np.array(content.held_out)
    if content.held_out_frames < 2.0:
        return ()
    q = q / q.sum()
    product = log_product(content)
    rows = (("product of marginals", product), ("frequencies", log_frequencies(content, product)), ("model", log_p))
    found = []
    for name, values in rows:
        difference = np.where(q > 0, values - product, 0.0)
        gain = float(q @ difference)
        variance = float(q @ (difference - gain) ** 2) / content.held_out_frames
        if name == "model":
            variance += float(((q * np.where(q > 0, log_p_err, 0.0)) ** 2).sum())
        found.append(Score(name, float(q @ np.where(q > 0, values, 0.0)), gain, float(np.sqrt(variance))))
    return tuple(found)


def log_product(content: LabelFile) -> NDArray[np.float64]:
    """log of the product of the marginals [K]; half a count is added to every class, so that none is impossible."""
    labels, w = np.array(content.labels), np.array(content.weights)
    total = np.zeros(len(labels))
    for i, edges in enumerate(content.boundaries_degree):
        counts = np.bincount(labels[:, i], weights=w, minlength=len(edges)) + 0.5
        total += np.log(counts / counts.sum())[labels[:, i]]
    return total


def log_frequencies(content: LabelFile, product: NDArray[np.float64]) -> NDArray[np.float64]:
    """log of the frequencies [K], as much of the product mixed in as labellings are unseen by the estimate of Good.

    That share is the number of labellings seen once over that of frames (Good, Biometrika 40, 237, 1953).
    """
    w = np.array(content.weights)
    unseen = min(1.0, max(1.0, float(((w > 0) & (w < 1.5)).sum())) / w.sum())
    return np.asarray(np.log((1.0 - unseen) * w / w.sum() + unseen * np.exp(product)))
