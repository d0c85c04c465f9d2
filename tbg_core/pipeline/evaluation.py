"""Potential energies of conformations, computed here or by worker processes that each hold one engine.

This module imports no torch, so that a worker process starts quickly.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from tbg_core.errors import EnergyError
from tbg_core.pipeline.workers import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable

Energies = tuple[np.ndarray, np.ndarray]
"""Potential energies [B], kJ/mol, and forces [B, N, 3], kJ/mol/nm (empty [0, N, 3] if not asked for)."""

_CHUNK: Final = 32
_THREAD_LIMITS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Evaluator(Protocol):
    """Evaluates conformations [B, N, 3], nm, float64, row by row. An energy that cannot be computed is nan."""

    def evaluate(self, x: np.ndarray, *, forces: bool) -> Energies:  # noqa: D102
        ...

    def close(self) -> None:  # noqa: D102
        ...


class WorkerEvaluator:
    """Worker processes with one evaluator each, on one thread; they start on first use and end with :meth:`close`.

    A row is computed by the same code whatever the number of workers, so the numbers are the same. A worker that
    dies is replaced once: that may be chance (the system was short of memory); a second time will not get better.

    Args:
        make: Makes the evaluator of a worker: a module-level function.
        arguments: What it is called with; picklable.
        workers: Number of processes.
        label: What is computed, for messages, e.g. ``"OpenMM"``.
    """

    def __init__(self, make: Callable[..., Evaluator], arguments: tuple[Any, ...], workers: int, label: str) -> None:
        self._make = make
        self._arguments = arguments
        self._workers = workers
        self._label = label
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
            self.close()
        try:
            return self._run(x, forces=forces)
        except BrokenProcessPool as error:
            self.close()
            raise EnergyError(
                f"A worker process of the {self._label} energy died twice while evaluating {len(x)} conformations.",
                fix="Set energy.workers to 0 to see why, or lower it if memory is short.",
            ) from error

    def _run(self, x: np.ndarray, *, forces: bool) -> Energies:
        if self._pool is None:
            # Spawned, not forked: threads of torch and of the engines do not survive a fork.
            self._pool = ProcessPoolExecutor(
                self._workers, multiprocessing.get_context("spawn"), _start_worker, (self._make, self._arguments)
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


_worker: Evaluator | None = None


def _start_worker(make: Callable[..., Evaluator], arguments: tuple[Any, ...]) -> None:
    global _worker  # noqa: PLW0603 - what a worker process is for
    # Read by the engines' libraries when they are loaded, which is after this.
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
    end_with_parent()
    _worker = make(*arguments)


def _evaluate_in_worker(x: np.ndarray, forces: bool) -> Energies:  # noqa: FBT001 - called by the pool
    assert _worker is not None  # noqa: S101 - set when the process started
    return _worker.evaluate(x, forces=forces)
