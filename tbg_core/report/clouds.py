"""What the report shows side by side: the proposal, the same samples reweighted, and a simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tbg_core.report.plotting import PROPOSAL, REFERENCE, REWEIGHTED

if TYPE_CHECKING:
    from tbg_core.ensemble import Ensemble
    from tbg_core.report.reference import Reference


Measure = Callable[[np.ndarray], np.ndarray]
"""An observable as a function of positions [n, *event], with ``name``, ``unit`` and ``period`` where it has them."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Weighted states of one origin.

    Attributes:
        key: ``"proposal"``, ``"reweighted"`` or ``"reference"``.
        label: For legends and headings.
        colour: A marker colour of :mod:`tbg_core.report.plotting`.
        positions: [n, *event].
        weights: [n], not negative, any normalisation.
        rows: Row of the ensemble, or frame of the simulation, of each state [n].
        effective: Number of independent states that it is worth; for a simulation the number of frames, as
            their correlation depends on what is looked at.
    """

    key: str
    label: str
    colour: str
    positions: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    effective: float
    _values: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def shares(self) -> np.ndarray:
        """Weights that sum to one [n]."""
        total = self.weights.sum()
        return self.weights / total if total > 0.0 else self.weights

    def evaluate(self, observable: Measure) -> np.ndarray:
        """An observable of every state [n], computed once."""
        name = str(getattr(observable, "name", id(observable)))
        if name not in self._values:
            empty = np.zeros(0)
            self._values[name] = np.asarray(observable(self.positions), np.float64) if len(self) else empty
        return self._values[name]

    def thinned(self, most: int) -> Cloud:
        """At most so many states, evenly spaced; the weights stay as they are."""
        if len(self) <= most:
            return self
        chosen = np.linspace(0, len(self) - 1, most).round().astype(int)
        effective = self.effective * most / len(self)
        return Cloud(
            self.key,
            self.label,
            self.colour,
            self.positions[chosen],
            self.weights[chosen],
            self.rows[chosen],
            effective,
        )


def clouds_of(ensemble: Ensemble, reference: Reference | None, reference_name: str) -> tuple[Cloud, ...]:
    """Proposal and reweighted, which share the valid samples; and the simulation, where there is one."""
    rows = np.flatnonzero(ensemble.valid)
    x = ensemble.positions[rows]
    ones, w = np.ones(len(rows)), ensemble.relative_weights[rows]
    values: dict[str, np.ndarray] = {}
    found = [
        Cloud("proposal", "proposal", PROPOSAL, x, ones, rows, float(len(rows)), values),
        Cloud("reweighted", "reweighted", REWEIGHTED, x, w, rows, ensemble.ess, values),
    ]
    if reference is not None:
        n = len(reference)
        frames = Cloud("reference", reference_name, REFERENCE, reference.positions, np.ones(n), np.arange(n), float(n))
        found.append(frames)
    return tuple(found)
