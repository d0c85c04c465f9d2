"""Energies and forces of conformations from one ASE calculator, in this project's units.

This module imports no torch, so that a worker process starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import units
from ase.calculators.calculator import CalculatorError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ase import Atoms

    from tbg_ase.calculators import Choice
    from tbg_core.pipeline.evaluation import Energies

KJ_PER_MOL_PER_EV: Final = units.mol / units.kJ
ANGSTROM_PER_NM: Final = units.nm

# Beyond this extent (nm) neither a neighbour list nor an SCF is worth starting.
_LARGEST_COORDINATE: Final = 1e3

_FAILURES: Final = (CalculatorError, RuntimeError, ArithmeticError, ValueError, np.linalg.LinAlgError)


class AseEvaluator:
    """One calculator in this process, made on first use, on one thread."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._atoms: Atoms | None = None

    def evaluate(self, x: np.ndarray, *, forces: bool) -> Energies:
        """Evaluates row by row; a row that fails (no SCF convergence, atoms on top of each other) is nan."""
        if self._atoms is None:
            self._atoms = self._choice.atoms()
        energies = np.full(len(x), np.nan)
        found = np.zeros(x.shape if forces else (0, *x.shape[1:]))
        # Comparison with nan is false, so this leaves out nan and infinity too.
        usable = (np.abs(x) < _LARGEST_COORDINATE).all(axis=(1, 2))
        with one_thread(), np.errstate(all="ignore"):
            for i in np.flatnonzero(usable):
                self._atoms.positions = x[i] * ANGSTROM_PER_NM
                # Nothing of the row before: neither its results nor, with xtb, its density.
                self._atoms.calc.reset()
                try:
                    energies[i] = self._atoms.get_potential_energy()
                    if forces:
                        found[i] = self._atoms.get_forces()
                except _FAILURES:
                    energies[i] = np.nan
        bad = ~np.isfinite(energies)
        if forces:
            bad |= ~np.isfinite(found).all(axis=(1, 2))
            found[bad] = 0.0
        energies[bad & ~np.isposinf(energies)] = np.nan
        return energies * KJ_PER_MOL_PER_EV, found * (KJ_PER_MOL_PER_EV * ANGSTROM_PER_NM)

    def close(self) -> None:
        """Frees the calculator."""
        self._atoms = None


def one_thread() -> AbstractContextManager[object]:
    """Limits the numerical libraries to one thread: sums then have one order, and energies one value."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
