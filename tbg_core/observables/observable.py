"""A number computed from each conformation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Observable:
    """A function of a conformation, with what is needed to plot and average it.

    Attributes:
        name: Its specification, e.g. ``"phi:2"``, as ``parse_observable`` reads it.
        unit: ``"rad"``, ``"nm"`` or empty.
        period: Period of the values, 2 pi for dihedrals (which lie in [-pi, pi]); None if they have none.
        function: Positions [n, N, 3], nm -> values [n].
        atoms: The atoms it depends on; empty for all.
    """

    name: str
    unit: str
    period: float | None
    function: Callable[[NDArray[np.floating]], NDArray[np.float64]] = field(repr=False, compare=False)
    atoms: tuple[int, ...] = ()

    def __call__(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Values [n], float64, of positions [n, N, 3], nm."""
        x = np.asarray(positions)
        if x.ndim != 3 or x.shape[-1] != 3:
            raise ValueError(f"{self.name} needs positions [n, N, 3], not {x.shape}.")
        return self.function(x)
