"""A number computed from each conformation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tbg_core.units import unit_factor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Observable:
    """A function of a conformation, with what is needed to plot and average it.

    Attributes:
        name: Its specification, e.g. ``"phi:2"``, as ``parse_observable`` reads it.
        unit: ``"rad"``, ``"nm"``, ``"Hz"``, ... or empty.
        period: Period of the values, 2 pi for dihedrals (which lie in [-pi, pi]); None if they have none.
        function: States [n, *event], nm for molecules -> values [n].
        atoms: The atoms it depends on; empty for all.
        event_ndim: Dimensions of one state: 2 for molecules ([N, 3]) and logits ([n, c]), 1 for vectors ([d]).
        components: Size of the last axis of a state of two dimensions: 3 for molecules; None: any.
        model_error: Standard error that every value has beside the sampling error, e.g. that of a Karplus curve, in
            ``unit``. It does not shrink with the number of samples, and no interval contains it.
        source: Where its parameters come from.
    """

    name: str
    unit: str
    period: float | None
    function: Callable[[NDArray[np.floating]], NDArray[np.float64]] = field(repr=False, compare=False)
    atoms: tuple[int, ...] = ()
    event_ndim: int = 2
    components: int | None = 3
    model_error: float = 0.0
    source: str = ""

    def __call__(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Values [n], float64, of states [n, *event]."""
        x = np.asarray(positions)
        sized = self.event_ndim == 2 and self.components is not None
        if x.ndim != self.event_ndim + 1 or (sized and x.shape[-1] != self.components):
            wanted = "positions [n, N, 3]" if sized else f"states [n, {', '.join('dc'[: self.event_ndim])}]"
            raise ValueError(f"{self.name} needs {wanted}, not {x.shape}.")
        return self.function(x)

    def to(self, unit: str) -> Observable:
        """The same observable in another unit, e.g. ``"degree"`` or ``"angstrom"``; its period follows.

        Raises:
            ConfigError: If the units do not belong together.
        """
        factor = unit_factor(self.unit, unit)
        if factor == 1.0:
            return self if unit == self.unit else replace(self, unit=unit)
        function = self.function
        return replace(
            self,
            unit=unit,
            period=None if self.period is None else self.period * factor,
            function=lambda x: function(x) * factor,
            model_error=self.model_error * factor,
        )
