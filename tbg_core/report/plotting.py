"""The look of the plots: SVG whose colours and fonts are those of the page around it.

Matplotlib knows no CSS, so that plots are drawn in marker colours that no plot would use and that become CSS
variables afterwards: one drawing serves the light page, the dark page and the print.
"""

from __future__ import annotations

import base64
import io
import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK: Final = "#010101"
MUTED: Final = "#020202"
GRID: Final = "#030303"
PROPOSAL: Final = "#040404"
REWEIGHTED: Final = "#050505"
REFERENCE: Final = "#060606"
BAD: Final = "#070707"
IN_PICTURES: Final = "#1f5fbf"
"""What stands for REWEIGHTED in dense parts that are rasterised, where CSS does not reach."""
PAPER: Final = "#080808"

_VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PROPOSAL: "var(--proposal)",
    REWEIGHTED: "var(--reweighted)",
    REFERENCE: "var(--reference)",
    BAD: "var(--bad)",
    PAPER: "var(--paper)",
}

FREE_ENERGY: Final = LinearSegmentedColormap.from_list(
    "free-energy", ["#0b2a5b", "#1f5fbf", "#3f9fb5", "#8fd0a8", "#e6f0b8", "#fbf7e6"]
)
"""Low free energy dark, high free energy light."""

_RC: Final[Any] = {
    "svg.fonttype": "none",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
}


def new_plot(width: float = 4.4, height: float = 3.0, *, bare: bool = False) -> tuple[Drawing, Axes]:
    """An empty plot.

    Args:
        width: Inches; at 1.0 of the page's column that is 4.4.
        height: Inches.
        bare: True for a picture without axes, from edge to edge.
    """
    with mpl.rc_context(_RC):
        drawing = Drawing(figsize=(width, height), layout=None if bare else "constrained")
        FigureCanvasSVG(drawing)
        axes = drawing.add_axes((0.0, 0.0, 1.0, 1.0)) if bare else drawing.add_subplot()
        axes.set_axisbelow(True)
        if bare:
            axes.set_axis_off()
    return drawing, axes


def legend_above(axes: Axes, *, tight: bool = False) -> None:
    """A legend in one line above the plot, where it hides nothing; ``tight`` for plots of three inches."""
    with mpl.rc_context(_RC):
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=4,
            borderaxespad=0.1,
            columnspacing=0.8 if tight else 1.2,
            handlelength=1.0 if tight else 1.4,
            handletextpad=0.4 if tight else 0.6,
            fontsize=7.5 if tight else 8.5,
        )


def to_svg(drawing: Drawing, name: str, description: str) -> Markup:
    """The drawing as inline SVG.

    Args:
        drawing: From :func:`new_plot`.
        name: Unique in the page: it prefixes every identifier.
        description: What a reader who cannot see it should know.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**_RC, "svg.hashsalt": name}):
        drawing.savefig(buffer, format="svg", transparent=True, dpi=144, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    for marker, variable in _VARIABLES.items():
        svg = svg.replace(marker, variable)
    svg = re.sub(r"""'DejaVu Sans'[^;"]*""", "var(--sans)", svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href|href)="#', rf'\1="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    opening = f'<svg role="img" aria-label="{escape(description)}" preserveAspectRatio="xMidYMid meet" '
    # A drawing may be smaller than its column, never larger: its text then has the size of the page's text.
    width = drawing.get_figwidth() * 96.0
    svg = re.sub(r'^<svg([^>]*?) width="[^"]*"', r"<svg\1", svg)
    svg = re.sub(r'^<svg([^>]*?) height="[^"]*"', r"<svg\1", svg)
    svg = svg.replace("<svg ", f'{opening}style="max-width:{width:.0f}px" ', 1)
    return Markup(svg)  # noqa: S704 - drawn here; Matplotlib escapes the texts in it


def to_png(drawing: Drawing, description: str, dpi: int = 170) -> Markup:
    """The drawing as an inline picture, for what has too many parts for SVG.

    Args:
        drawing: From :func:`new_plot`; drawn in colours that suit a light and a dark page.
        description: What a reader who cannot see it should know.
        dpi: Dots per inch of the drawing, which is shown at 96.
    """
    buffer = io.BytesIO()
    with mpl.rc_context(_RC):
        FigureCanvasAgg(drawing)
        drawing.savefig(buffer, format="png", transparent=True, dpi=dpi, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width, height = (round(size * 96.0) for size in drawing.get_size_inches())
    return Markup('<img alt="{}" width="{}" height="{}" src="data:image/png;base64,{}">').format(
        description, width, height, data
    )
