"""Independent units of work on workers, one thread each: processes of this machine, or those of an executor."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from typing_extensions import override

from tbg_core.contracts.executor import Executor
from tbg_core.errors import TbgError
from tbg_core.pipeline.config import LocalProcessesConfig

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Iterable, Iterator

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def default_workers() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalProcesses(Executor):
    """Spawned processes of this machine, which end with the one that started them."""

    local: ClassVar[bool] = True

    def __init__(self, config: LocalProcessesConfig) -> None:
        self.config = config

    @override
    @contextmanager
    def open(self, workers: int) -> Iterator[concurrent.futures.Executor]:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


LOCAL: Final = LocalProcesses(LocalProcessesConfig())


def run_units(
    function: Callable[[Unit], Result],
    units: Iterable[Unit],
    workers: int,
    follow: Callable[[Unit, Result], Unit | None] = lambda *_: None,
    executor: Executor = LOCAL,
) -> Iterator[tuple[Unit, Result]]:
    """Applies ``function`` to each unit and yields (unit, result) as they finish.

    Each worker computes on one thread, and so does this process when ``workers`` is 1: results do not depend on
    the number of workers. Units and results must be picklable; ``function`` a module-level function.

    Args:
        function: The work.
        units: What to do; independent of each other.
        workers: Worker processes; 1 of this machine computes here.
        follow: Gives the unit that becomes possible when one has finished, e.g. the next block of a walker.
        executor: Where the workers are.

    Raises:
        TbgError: If a worker died, and the executor did not replace it.
    """
    if executor.local and workers <= 1:
        yield from _run_here(function, list(units), follow)
        return
    try:
        with executor.open(workers) as pool:
            pending: dict[Future[Result], Unit] = {pool.submit(_on_one_thread, function, unit): unit for unit in units}
            while pending:
                finished, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    unit, result = pending.pop(future), future.result()
                    successor = follow(unit, result)
                    if successor is not None:
                        pending[pool.submit(_on_one_thread, function, successor)] = successor
                    yield unit, result
    except executor.failures as error:
        raise TbgError(
            "a worker process died (killed, or out of memory).",
            fix="What was finished is kept: run again with --resume, perhaps with fewer --threads.",
        ) from error


def _run_here(
    function: Callable[[Unit], Result],
    queue: list[Unit],
    follow: Callable[[Unit, Result], Unit | None],
) -> Iterator[tuple[Unit, Result]]:
    while queue:
        unit = queue.pop(0)
        result = _on_one_thread(function, unit)
        successor = follow(unit, result)
        if successor is not None:
            queue.insert(0, successor)
        yield unit, result


def _on_one_thread(function: Callable[[Unit], Result], unit: Unit) -> Result:
    with single_thread():
        return function(unit)


@contextmanager
def single_thread() -> Iterator[None]:
    """Computes on one thread within the block: sums then have one order, and results one value."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def end_with_parent() -> None:
    """Lets this worker end when the process that started it is gone: its pool would wait for work for ever."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
