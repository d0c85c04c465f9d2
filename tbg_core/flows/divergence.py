"""The divergence of a vector field: exact, or the quadratic forms that estimate it.

For molecules the divergence on the mean-free space is wanted, yet the trace is taken over all 3N coordinates.
The two agree: v does not depend on the centroid (J P = J, P the projection on the mean-free space) and is
mean-free (P J = J), so that tr J = tr P J P.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakSet

import torch
from torch.func import jvp, vmap

from tbg_core.errors import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.system import Batch

    _Velocity = Callable[[Tensor], Tensor]

_PAIR_BUDGET: Final = {"cpu": 2**19, "default": 2**25}
"""Bound on (rows x tangents) x coordinates^2 in one pass, by device type: networks on all pairs of atoms need
memory in proportion to it. It amounts to some hundreds of megabytes on a CPU and some gigabytes elsewhere."""

_reverse_only: WeakSet[nn.Module] = WeakSet()
"""Fields found to contain an operation without forward-mode derivative."""


def exact_divergence(
    field: VectorField,
    t: Tensor,
    x: Tensor,
    batch: Batch,
    condition: Tensor | None = None,
    *,
    max_pairs: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Velocity and sum_k dv_k/dx_k over the real coordinates of each row.

    Derivatives are taken in forward mode, along unit tangents, many at once: a pass costs about twice as much
    as the velocities of its (row, tangent) pairs and stores no graph. Fields with an operation that has no
    forward-mode derivative are differentiated backward, one coordinate after the other. The result is
    differentiable wherever gradients are enabled.

    Args:
        field: The field; its rows must not depend on one another.
        t: Times [B].
        x: States [B, *event]; padded atoms are zero.
        batch: Which system each row is of; padded coordinates are skipped.
        condition: Conditioning values [B, C] or None.
        max_pairs: (row, tangent) pairs in one pass; chosen by the size of a state by default.

    Returns:
        Velocity [B, *event] in the type of ``x`` and divergence [B], float64.
    """
    size = x[0].numel() if len(x) else 0
    if size == 0:
        return torch.zeros_like(x), x.new_zeros(len(x), dtype=torch.float64)
    if max_pairs is None:
        max_pairs = max(1, _PAIR_BUDGET.get(x.device.type, _PAIR_BUDGET["default"]) // size**2)
    real = _real_coordinates(x, batch)
    order = torch.arange(len(x), device=x.device)
    if real is not None:
        # Rows of like length together, so that a pass skips the padding that all its rows share.
        order = real.sum(dim=1).argsort(stable=True)
    velocities, divergences = [], []
    for rows in torch.split(order, max(1, max_pairs // size)):
        columns = torch.arange(size, device=x.device) if real is None else real[rows].any(dim=0).nonzero()[:, 0]
        part = batch.select(rows)
        c = None if condition is None else condition[rows]
        velocity, divergence = None, x.new_zeros(len(rows), dtype=torch.float64)
        for some in torch.split(columns, max(1, max_pairs // len(rows))):
            tangents = torch.nn.functional.one_hot(some, size).to(x).unsqueeze(1).expand(-1, len(rows), -1)
            if real is not None:
                tangents = tangents * real[rows].to(x)
            units = tangents.reshape(-1, *x[rows].shape)
            v, forms = quadratic_forms(field, t[rows], x[rows], part, c, tangents=units)
            velocity = v if velocity is None else velocity
            divergence = divergence + forms.sum(dim=0)
        assert velocity is not None  # noqa: S101 - a row has at least one real coordinate
        velocities.append(velocity)
        divergences.append(divergence)
    back = order.argsort()
    return torch.cat(velocities)[back], torch.cat(divergences)[back]


def quadratic_forms(
    field: VectorField, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None, *, tangents: Tensor
) -> tuple[Tensor, Tensor]:
    """Velocity [B, *event] and e^T (dv/dx) e [K, B], float64, for the tangents e [K, B, *event]."""

    def velocity(y: Tensor) -> Tensor:
        return field(t, y, batch, condition)  # type: ignore[no-any-return]

    if field not in _reverse_only:
        try:
            return _forward_mode(velocity, x, tangents)
        except RuntimeError as error:  # NotImplementedError is one
            if is_out_of_memory(error):
                raise
            # Not the place to tell a missing derivative from a broken field: the latter fails again below.
            result = _reverse_mode(velocity, x, tangents)
            _reverse_only.add(field)
            return result
    return _reverse_mode(velocity, x, tangents)


def _forward_mode(velocity: _Velocity, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    def form(tangent: Tensor) -> tuple[Tensor, Tensor]:
        v, derivative = jvp(velocity, (x,), (tangent,))  # type: ignore[misc]
        return v, (tangent * derivative).flatten(1).sum(dim=1, dtype=torch.float64)

    # The velocity does not depend on the tangent, so vmap computes it once and only expands it.
    v, forms = vmap(form)(tangents)
    return v[0], forms


def _reverse_mode(velocity: _Velocity, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        y = x if x.requires_grad and differentiable else x.detach().requires_grad_()
        v = velocity(y)
        forms = []
        for tangent in tangents:
            (gradient,) = torch.autograd.grad(
                v, y, tangent, retain_graph=True, create_graph=differentiable, materialize_grads=True
            )
            forms.append((tangent * gradient).flatten(1).sum(dim=1, dtype=torch.float64))
    return (v if differentiable else v.detach()), torch.stack(forms)


def _real_coordinates(x: Tensor, batch: Batch) -> Tensor | None:
    """True where a row has a coordinate that is not padding [B, D]; None if there is no padding."""
    if batch.mask is None:
        return None
    mask = batch.mask.view(*batch.mask.shape, *(1,) * (x.ndim - 2))
    return mask.expand(x.shape).flatten(1)
