"""Energies and forces of conformations from one OpenMM context.

This module imports no torch, so that a worker process starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import openmm

from tbg_openmm import quantities

if TYPE_CHECKING:
    from tbg_core.pipeline.evaluation import Energies
    from tbg_openmm.platforms import PlatformChoice

# Beyond this extent (nm) a neighbour list has more cells than memory; such an energy is unusable anyway.
_LARGEST_COORDINATE: Final = 1e4


class LocalEvaluator:
    """One context in this process, made on first use."""

    def __init__(self, system: openmm.System, platform: PlatformChoice) -> None:
        self._system = system
        self._platform = platform
        self._context: openmm.Context | None = None

    def evaluate(self, x: np.ndarray, *, forces: bool) -> Energies:
        """Evaluates row by row; a row that fails does not disturb the others."""
        if self._context is None:
            self._context = self._platform.context(self._system, openmm.VerletIntegrator(0.001))
        energies = np.full(len(x), np.nan)
        gradient = np.zeros(x.shape if forces else (0, *x.shape[1:]))
        # Comparison with nan is false, so this leaves out nan and infinity too.
        usable = (np.abs(x) < _LARGEST_COORDINATE).all(axis=(1, 2))
        for i in np.flatnonzero(usable):
            try:
                self._context.setPositions(x[i])
                state = self._context.getState(getEnergy=True, getForces=forces)
            except openmm.OpenMMException:
                continue
            energies[i] = quantities.potential_energy(state)
            if forces:
                gradient[i] = quantities.forces(state)
        bad = ~np.isfinite(energies)
        if forces:
            bad |= ~np.isfinite(gradient).all(axis=(1, 2))
            gradient[bad] = 0.0
        energies[bad & ~np.isposinf(energies)] = np.nan
        return energies, gradient

    def close(self) -> None:
        """Frees the context."""
        self._context = None


def from_xml(system_xml: str, platform: PlatformChoice) -> LocalEvaluator:
    """The evaluator of a worker process."""
    return LocalEvaluator(openmm.XmlSerializer.deserialize(system_xml), platform)
