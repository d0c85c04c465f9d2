"""Energies and forces of conformations, one context in this process or one in each of several workers.

This module imports no torch, so that a worker process starts quickly.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import openmm

from tbg_core.errors import EnergyError
from tbg_openmm import quantities

if TYPE_CHECKING:
    from tbg_openmm.platforms import PlatformChoice

Energies = tuple[np.ndarray, np.ndarray]
"""Potential energies [B], kJ/mol, and forces [B, N, 3], kJ/mol/nm (empty [0, N, 3] if not asked for)."""

# Beyond this extent (nm) a neighbour list has more cells than memory; such an energy is unusable anyway.
_LARGEST_COORDINATE: Final = 1e4
_CHUNK: Final = 32


class Evaluator(Protocol):
    """Evaluates conformations [B, N, 3], nm, float64. An energy that cannot be computed is nan."""

    def evaluate(self, x: np.ndarray, *, forces: bool) -> Energies:  # noqa: D102
        ...

    def close(self) -> None:  # noqa: D102
        ...


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


class WorkerEvaluator:
    """Worker processes with one context each; they start on first use and end with :meth:`close`.

    A row is computed by the same code whatever the number of workers, so the numbers are the same.
    """

    def __init__(self, system: openmm.System, platform: PlatformChoice, workers: int) -> None:
        self._arguments = (openmm.XmlSerializer.serialize(system), platform)
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def evaluate(self, x: np.ndarray, *, forces: bool) -> Energies:
        """Evaluates in chunks.

        Raises:
            EnergyError: If a worker process died, twice in a row.
        """
        if not len(x):
            return np.zeros(0), np.zeros((0, *x.shape[1:]))
        try:
            return self._run(x, forces=forces)
        except BrokenProcessPool:
            # Once may be chance (the system was short of memory); a second time will not get better.
            self.close()
        try:
            return self._run(x, forces=forces)
        except BrokenProcessPool as error:
            self.close()
            raise EnergyError(
                f"A worker process of the OpenMM energy died twice while evaluating {len(x)} conformations.",
                fix="Set energy.workers to 0 to see why, or lower it if memory is short.",
            ) from error

    def _run(self, x: np.ndarray, *, forces: bool) -> Energies:
        if self._pool is None:
            # Spawned, not forked: threads of torch and OpenMM do not survive a fork.
            self._pool = ProcessPoolExecutor(
                self._workers, multiprocessing.get_context("spawn"), _start_worker, self._arguments
            )
        size = min(_CHUNK, -(-len(x) // self._workers))
        futures = [
            self._pool.submit(_evaluate_in_worker, x[start : start + size], forces) for start in range(0, len(x), size)
        ]
        results = [future.result() for future in futures]
        return np.concatenate([u for u, _ in results]), np.concatenate([f for _, f in results])

    def close(self) -> None:
        """Ends the worker processes and waits for them; calling it twice is harmless."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


_worker: LocalEvaluator | None = None


def _start_worker(system_xml: str, platform: PlatformChoice) -> None:
    global _worker  # noqa: PLW0603 - what a worker process is for
    _worker = LocalEvaluator(openmm.XmlSerializer.deserialize(system_xml), platform)


def _evaluate_in_worker(x: np.ndarray, forces: bool) -> Energies:  # noqa: FBT001 - called by the pool
    assert _worker is not None  # noqa: S101 - set when the process started
    return _worker.evaluate(x, forces=forces)
