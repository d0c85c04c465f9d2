"""Free-energy profiles as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.errors import ConfigError
from tbg_core.storage.atomic import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tbg_core.ensemble.free_energy import Profile

FORMATS: Final = ("png", "svg", "pdf")


def draw_profiles(profiles: Sequence[Profile], path: Path, title: str = "") -> None:
    """Draws profiles with their bands, one below the other, into a PNG, SVG or PDF file.

    Raises:
        ConfigError: If there is nothing to draw, or the name has another ending.
        StorageError: If the file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ConfigError(f"a plot cannot be written to {path}.", fix=f"End its name in {', '.join(FORMATS)}.")
    if not profiles:
        raise ConfigError("there is no profile to draw.", fix="Name an observable with --observable.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 0.6 + 2.6 * len(profiles)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(profiles), squeeze=False)[:, 0]
    for one, profile in zip(axes, profiles, strict=True):
        _draw(one, profile)
    if title:
        figure.suptitle(title, fontsize=10)
    write_atomically(path, lambda temporary: figure.savefig(temporary, format=kind, dpi=160))


def _draw(axes: Axes, profile: Profile) -> None:
    shown = np.isfinite(profile.free_energy)
    values = np.where(shown, profile.free_energy, np.nan)
    band = np.isfinite(profile.low) & np.isfinite(profile.high)
    if band.any():
        low, high = np.where(band, profile.low, np.nan), np.where(band, profile.high, np.nan)
        label = f"{100 * profile.level:g} % interval at each bin"
        axes.stairs(high, profile.edges, baseline=low, fill=True, alpha=0.25, color="tab:blue", label=label)
        axes.legend(frameon=False, fontsize=8)
    axes.stairs(values, profile.edges, baseline=None, color="tab:blue")
    axes.set_xlabel(f"{profile.name} ({profile.unit})" if profile.unit else profile.name)
    axes.set_ylabel(f"F ({profile.energy_unit})")
    axes.set_xlim(profile.edges[0], profile.edges[-1])
    if not profile.reliable:
        axes.text(0.5, 0.92, "NOT RELIABLE: no interval", transform=axes.transAxes, ha="center", color="tab:red")
