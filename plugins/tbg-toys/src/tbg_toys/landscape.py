"""The potential of a toy as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tbg_toys.target import ToyTarget

TOP: Final = 12.0
"""Energies are drawn up to here above the lowest one, kT."""

_GRID: Final = 160


def draw_landscape(axes: Axes, target: ToyTarget, samples: np.ndarray, colours: str | object) -> None:
    """Draws u in kT above its minimum: contours in two dimensions, a curve over x_0 otherwise.

    Args:
        axes: Where to draw.
        target: A toy in any dimension; beyond the second (or the first, if there are others) at zero.
        samples: States [n, d] that must be seen in the drawing.
        colours: Colour map of Matplotlib.
    """
    low, high = samples.min(axis=0), samples.max(axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-6)
    low, high = low - margin, high + margin
    axis = np.linspace(low[0], high[0], _GRID)
    axes.set_xlabel("x0")
    if target.system.dim == 2:
        other = np.linspace(low[1], high[1], _GRID)
        grid = np.stack(np.meshgrid(axis, other, indexing="ij"), axis=-1).reshape(-1, 2)
        u = _energies(target, grid).reshape(_GRID, _GRID).T
        shown = np.minimum(u - u.min(), TOP)
        axes.contourf(axis, other, shown, levels=np.linspace(0.0, TOP, 13), cmap=colours)
        axes.set_ylabel("x1")
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        return
    states = np.zeros((_GRID, target.system.dim))
    states[:, 0] = axis
    u = _energies(target, states)
    axes.plot(axis, u - u.min())
    axes.set(xlim=(low[0], high[0]), ylim=(-0.5, TOP))
    axes.set_ylabel("u / kT")


def _energies(target: ToyTarget, states: np.ndarray) -> np.ndarray:
    return target.potential(torch.from_numpy(states))[0].numpy()
