"""Molecules as matplotlib draws them: for print, and where there are no scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.collections import LineCollection

from tbg_core.report.plotting import new_plot, to_png

if TYPE_CHECKING:
    from markupsafe import Markup

    from tbg_core.molecule import Molecule

# Legible on white and on black. C, H, N, O and S as chemists expect them, told apart by lightness too.
ELEMENT_COLOURS: Final = {
    "C": "#77808b",
    "H": "#aeb7c1",
    "N": "#2f6bd8",
    "O": "#d0342c",
    "S": "#c79a00",
    "P": "#d97706",
}
OTHER_COLOUR: Final = "#9254c8"


def element_colour(element: str) -> str:
    """Colour of an element, in the pictures and in the viewer."""
    return ELEMENT_COLOURS.get(element, OTHER_COLOUR)


def extent(*sets: np.ndarray) -> tuple[float, float, float, float]:
    """Common window (left, right, bottom, top) of conformations [n, N, 3], nm."""
    points = np.concatenate([x[..., :2].reshape(-1, 2) for x in sets if len(x)])
    low, high = points.min(axis=0) - 0.06, points.max(axis=0) + 0.06
    return float(low[0]), float(high[0]), float(low[1]), float(high[1])


def draw(
    molecule: Molecule,
    x: np.ndarray,
    shares: np.ndarray,
    window: tuple[float, float, float, float],
    description: str,
    width: float = 3.3,
) -> Markup:
    """Superposed conformations seen along z, as a picture.

    Args:
        molecule: Says what is bonded.
        x: Conformations [n, N, 3], nm, superposed already.
        shares: How much of the ink each gets [n].
        window: From :func:`extent`: the same for pictures that are compared.
        description: What a reader who cannot see it should know.
        width: Inches.
    """
    left, right, bottom, top = window
    height = width * min(max((top - bottom) / (right - left), 0.3), 1.1)
    drawing, axes = new_plot(width, height, bare=True)
    bonds = np.array(molecule.bonds, dtype=int).reshape(-1, 2)
    colours = np.array([element_colour(e) for e in molecule.elements])
    heavy = np.array([e != "H" for e in molecule.elements])
    a, b = x[:, bonds[:, 0]], x[:, bonds[:, 1]]
    middle = 0.5 * (a + b)
    halves = np.concatenate([np.stack([a, middle], axis=2), np.stack([b, middle], axis=2)], axis=1)
    ends = np.concatenate([bonds[:, 0], bonds[:, 1]])
    both_heavy = np.tile(heavy[bonds].all(axis=1), 2)
    relative = shares / max(float(shares.max(initial=0.0)), 1e-30)
    alpha = np.clip(relative * min(1.0, 9.0 / max(1.0, float(relative.sum()))), 0.04, 1.0)
    scale = 72.0 * width / (right - left)  # points per nm
    lines = halves.reshape(-1, 2, 3)
    thickness = np.tile(np.where(both_heavy, 0.02, 0.011), len(x)) * scale
    ink = np.repeat(alpha, len(ends))
    order = np.argsort(lines[..., 2].mean(axis=1))
    collection = LineCollection(
        list(lines[order][..., :2]),
        colors=list(np.tile(colours[ends], len(x))[order]),
        linewidths=thickness[order],
        alpha=ink[order],
        capstyle="round",
    )
    axes.add_collection(collection)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_aspect("equal")
    return to_png(drawing, description)
