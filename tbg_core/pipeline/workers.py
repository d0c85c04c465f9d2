"""Independent units of work on worker processes, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from tbg_core.errors import TbgError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Unit = TypeVar("Unit")
Result = TypeVar("Result")


def default_workers() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_units(
    function: Callable[[Unit], Result],
    units: Iterable[Unit],
    workers: int,
    follow: Callable[[Unit, Result], Unit | None] = lambda *_: None,
) -> Iterator[tuple[Unit, Result]]:
    """Applies ``function`` to each unit and yields (unit, result) as they finish.

    Each worker computes on one thread, and so does this process when ``workers`` is 1: results do not depend on
    the number of workers. Units and results must be picklable; ``function`` a module-level function.

    Args:
        function: The work.
        units: What to do; independent of each other.
        workers: Worker processes; 1 computes here.
        follow: Gives the unit that becomes possible when one has finished, e.g. the next block of a walker.

    Raises:
        TbgError: If a worker process died.
    """
    if workers <= 1:
        yield from _run_here(function, list(units), follow)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        try:
            pending: dict[Future[Result], Unit] = {pool.submit(function, unit): unit for unit in units}
            while pending:
                finished, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    unit, result = pending.pop(future), future.result()
                    successor = follow(unit, result)
                    if successor is not None:
                        pending[pool.submit(function, successor)] = successor
                    yield unit, result
        except BrokenProcessPool as error:
            raise TbgError(
                "a worker process died (killed, or out of memory).",
                fix="What was finished is kept: run again with --resume, perhaps with fewer --threads.",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _run_here(
    function: Callable[[Unit], Result],
    queue: list[Unit],
    follow: Callable[[Unit, Result], Unit | None],
) -> Iterator[tuple[Unit, Result]]:
    while queue:
        unit = queue.pop(0)
        with single_thread():
            result = function(unit)
        successor = follow(unit, result)
        if successor is not None:
            queue.insert(0, successor)
        yield unit, result


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


def _begin_worker() -> None:
    import torch

    torch.set_num_threads(1)
    end_with_parent()


def end_with_parent() -> None:
    """Lets this worker end when the process that started it is gone: its pool would wait for work for ever."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
