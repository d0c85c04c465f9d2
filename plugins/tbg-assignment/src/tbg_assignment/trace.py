"""Traces of the Jacobian of a multilayer perceptron between softmaxes, without a derivative for each coordinate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

_ROWS: Final = 64
"""Rows at once: each needs a matrix of the hidden width times the number of logits."""


def trace(layers: nn.Sequential, features: Tensor, w: Tensor, p: Tensor | None) -> Tensor:
    """sum_i tr(B_i dg_i/dx_i) [B] with g = layers(features), features = (w, ...) and w = softmax x.

    B_i = diag p_i - p_i p_i^T, or the identity where ``p`` is None. With C_i = diag w_i - w_i w_i^T, the derivative of
    the softmax, and M that of the hidden layers, it is tr(M W_in (C B) W_out): C B is diagonal up to two dyads, so that
    the cost grows with the square of the hidden width and not with that of the number of logits.

    Args:
        layers: Linear layers with SiLU between them.
        features: Input [B, n c + ...], whose first columns are ``w``.
        w: Probabilities [B, n, c].
        p: Probabilities [B, n, c].
    """
    cuts = [slice(start, start + _ROWS) for start in range(0, max(1, len(w)), _ROWS)]
    return torch.cat([_trace(layers, features[k], w[k], None if p is None else p[k]) for k in cuts])


def _trace(layers: nn.Sequential, features: Tensor, w: Tensor, p: Tensor | None) -> Tensor:
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    n, c = w.shape[1:]
    into = linear[0].weight[:, : n * c]
    out_of = linear[-1].weight
    hidden, slope = _activated(linear[0](features))
    chain = torch.diag_embed(slope)
    for layer in linear[1:-1]:
        hidden, slope = _activated(layer(hidden))
        chain = slope.unsqueeze(2) * (layer.weight @ chain)
    diagonal = w if p is None else w * p
    middle = (into * diagonal.flatten(1).unsqueeze(1)) @ out_of
    for left, right in _dyads(w, p):
        columns = torch.einsum("hnc,bnc->bhn", into.view(-1, n, c), left)
        rows = torch.einsum("bnc,nch->bnh", right, out_of.view(n, c, -1))
        middle = middle - columns @ rows
    return (chain * middle.transpose(1, 2)).sum(dim=(1, 2))


def _dyads(w: Tensor, p: Tensor | None) -> list[tuple[Tensor, Tensor]]:
    """What C B lacks of its diagonal, variable by variable: - sum of l r^T."""
    if p is None:
        return [(w, w)]
    both = w * p
    return [(both - both.sum(dim=-1, keepdim=True) * w, p), (w, both)]


def _activated(a: Tensor) -> tuple[Tensor, Tensor]:
    """SiLU and its derivative."""
    s = torch.sigmoid(a)
    return a * s, s * (1.0 + a * (1.0 - s))
