"""A reference simulation as a yardstick: what samples are compared with, prepared once for a molecule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_core.ensemble.weights import TRIMMED_FRACTION, normalised
from tbg_core.metrics.basins import Difference, left_handed
from tbg_core.metrics.divergence import RamachandranCells, jensen_shannon
from tbg_core.metrics.tica import tica_features
from tbg_core.metrics.wasserstein import w2_line, w2_plane, w2_torus
from tbg_core.observables.geometry import dihedral
from tbg_core.observables.torsions import torsions
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tbg_core.ensemble import Ensemble
    from tbg_core.metrics.tica import Tica
    from tbg_core.molecule import Molecule
    from tbg_core.report.reference import Reference

LINE_POINTS: Final = 10_000
"""Most points of an E-W2, as in published work; sorting them costs nothing."""

SPLITS: Final = 5
"""Ways in which the walkers of the reference are divided in halves for its own distance."""

VARIANTS: Final = ("proposal", "reweighted", "trimmed")
"""Draws as they are; drawn by weight; drawn by weight after the largest 0.2 % of the weights were removed."""


@dataclass(frozen=True, eq=False)
class Features:
    """What conformations are compared by.

    Attributes:
        u: Reduced energies [n].
        phi: Angles of all phi [n, p], radians.
        torus: Angles of all phi, then all psi [n, d].
        slow: The slow components [n, 2]; None without them.
    """

    u: np.ndarray
    phi: np.ndarray
    torus: np.ndarray
    slow: np.ndarray | None

    def __len__(self) -> int:
        return len(self.u)

    def take(self, rows: np.ndarray | slice) -> Features:
        """Some of the rows."""
        slow = None if self.slow is None else self.slow[rows]
        return Features(self.u[rows], self.phi[rows], self.torus[rows], slow)


class Yardstick:
    """Measures samples against a reference.

    Args:
        molecule: What both are of.
        reference: Frames of the simulation.
        points: Most points of a distance on the torus and between slow components: at most as many as half of the
            reference has, so that distances of samples and those within the reference are of equally many points.
        tica: The slow components, if there is plain dynamics that they were found from.
    """

    def __init__(self, molecule: Molecule, reference: Reference, points: int, tica: Tica | None = None) -> None:
        self.molecule, self.tica, self.walker = molecule, tica, reference.walker
        self.features = self.of(reference.positions, reference.reduced_energy)
        self.points = min(points, *(len(half) for half in next(self._halves())))
        self.cells = RamachandranCells(self.features.torus)
        order = generator(0, "yardstick").permutation(len(self.features))
        self._line, self._plane = (self.features.take(order[:n]) for n in (LINE_POINTS, self.points))
        self.differences = tuple(
            left_handed(phi, groups=reference.groups(phi, 2.0 * np.pi)) for phi in self.features.phi.T
        )

    def of(self, positions: np.ndarray, u: np.ndarray) -> Features:
        """The features of conformations [n, N, 3], nm, with reduced energies [n]."""
        x = np.asarray(positions, dtype=np.float64)
        phi, psi = (
            np.stack([dihedral(x, *atoms) for atoms in torsions(self.molecule, kind).values()], axis=1)
            for kind in ("phi", "psi")
        )
        slow = None if self.tica is None else self.tica(tica_features(self.molecule, x))
        return Features(np.asarray(u, np.float64), phi, np.concatenate([phi, psi], axis=1), slow)

    def measure(self, ensemble: Ensemble, seed: int = 0) -> dict[str, dict[str, float]]:
        """Distances of the three variants of an ensemble to the reference, by :data:`VARIANTS`.

        ``e_w2`` (kT), ``t_w2`` (rad), ``tica_w2``, ``jsd`` (nats) and ``phi`` (kT: mean error of the free energy of
        left-handed phi, over all phi; infinite where a basin was never visited). A variant without any valid sample is
        left out.

        Args:
            ensemble: Samples of the same molecule.
            seed: Of the draws by weight.
        """
        valid = np.flatnonzero(ensemble.valid)
        if not len(valid):
            return {}
        features = self.of(ensemble.positions[valid], ensemble.reduced_energy[valid])
        log_w = ensemble.log_weights
        kept = log_w.copy()
        kept[np.argsort(log_w)[len(log_w) - int(np.ceil(TRIMMED_FRACTION * len(log_w))) :]] = -np.inf
        found = {"proposal": self._distances(features, generator(seed, "proposal").permutation(len(valid)), None)}
        for name, values in (("reweighted", log_w), ("trimmed", kept)):
            w = normalised(values)[valid]
            if w.any():
                # Multinomial, as in published work: any part of the draw is a draw.
                rows = generator(seed, name).choice(len(valid), min(LINE_POINTS, len(log_w)), p=w / w.sum())
                found[name] = self._distances(features, rows, w)
        return found

    def floor(self) -> dict[str, tuple[float, float]]:
        """Distances between halves of the reference, over :data:`SPLITS` ways to divide its walkers: mean and spread.

        Each half has half of the frames, and both halves are finite: samples that are perfect come closer than this.
        """
        found = [self._between(*(self.features.take(half) for half in halves)) for halves in self._halves()]
        return {name: _mean_and_spread(np.array([f[name] for f in found])) for name in found[0]}

    def _distances(self, features: Features, rows: np.ndarray, weights: np.ndarray | None) -> dict[str, float]:
        line = features.take(rows[:LINE_POINTS])
        found = self._transport(line, self._line, self._plane)
        found["jsd"] = jensen_shannon(self.cells.histogram(line.torus), self._histogram)
        found["phi"] = phi_error([left_handed(phi, weights) for phi in features.phi.T], self.differences)
        return found

    def _between(self, a: Features, b: Features) -> dict[str, float]:
        found = self._transport(a, b, b.take(slice(self.points)))
        found["jsd"] = jensen_shannon(*(self.cells.histogram(half.torus) for half in (a, b)))
        found["phi"] = phi_error(*([left_handed(phi) for phi in half.phi.T] for half in (a, b)))
        return found

    def _transport(self, a: Features, line: Features, plane: Features) -> dict[str, float]:
        count = min(len(a), len(plane))
        found = {"e_w2": w2_line(a.u, line.u), "t_w2": w2_torus(a.torus[:count], plane.torus[:count])}
        if a.slow is not None and plane.slow is not None:
            found["tica_w2"] = w2_plane(a.slow[:count], plane.slow[:count])
        return found

    @cached_property
    def _histogram(self) -> np.ndarray:
        return self.cells.histogram(self.features.torus)

    def _halves(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of both halves, each in random order; walkers are kept whole where there is more than one."""
        random: Callable[[np.ndarray], np.ndarray] = generator(0, "halves").permutation
        groups = self.walker if len(np.unique(self.walker)) > 1 else np.arange(len(self.walker)) * 2 // len(self.walker)
        names = np.unique(groups)
        for _ in range(SPLITS if len(names) > 2 else 1):
            first = np.isin(groups, random(names)[: len(names) // 2])
            yield random(np.flatnonzero(first)), random(np.flatnonzero(~first))


def phi_error(a: Sequence[Difference], b: Sequence[Difference]) -> float:
    """Mean absolute difference of free energies of left-handed phi, kT.

    Where neither side ever visited a basin (proline, say) there is nothing to compare: those phi are left out, and
    without any other the error is nan. Where one of them did, it is infinite.
    """
    pairs = [(x.value, y.value) for x, y in zip(a, b, strict=True)]
    errors = [abs(x - y) for x, y in pairs if np.isfinite([x, y]).any() or x != y]
    return float(np.mean(errors)) if errors else np.nan


def _mean_and_spread(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std()) if np.isfinite(values).all() else np.nan
