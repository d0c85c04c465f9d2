"""Training on several devices: a process for each, all with the same weights, each with its share of every batch."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from tbg_core.errors import TbgError
from tbg_core.pipeline.workers import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lightning_fabric import Fabric
    from torch import nn

    from tbg_core.pipeline.progress import Progress


def fit_on_several(
    fabric: Fabric, fit: Callable[[Progress], object], model: nn.Module, progress: Progress, threads: int
) -> None:
    """Calls ``fit(progress)`` in a process for each device; what it makes is on disk.

    Args:
        fabric: Its strategy starts the processes.
        fit: What every process does; picklable, with ``model`` in it.
        model: What is trained; that of this process stays as it is.
        progress: Told of every step, in this process.
        threads: CPU threads of each process.

    Raises:
        TbgError: What ``fit`` raised, or that a process died.
    """
    reports = multiprocessing.get_context("spawn").SimpleQueue()
    errors: list[TbgError] = []
    listener = threading.Thread(target=_listen, args=(reports, progress, errors), daemon=True)
    listener.start()
    # Fabric hands itself to what it launches, which its types do not say.
    launch: Callable[..., None] = fabric.launch
    ended: Exception | None = None
    try:
        launch(_in_process, model, fit, reports, threads)
    except (ProcessExitedException, ProcessRaisedException) as failed:
        ended = failed
    finally:
        reports.put(None)
        listener.join()
    if errors:
        raise errors[0]
    if isinstance(ended, ProcessExitedException):
        raise TbgError(
            "a training process died (killed, or out of memory).",
            fix="Run again with --resume, which goes on from the last saved state, perhaps with fewer --devices.",
        ) from ended
    if ended is not None:
        raise TbgError(f"a training process failed: {str(ended).strip().splitlines()[-1]}") from ended


def _in_process(
    fabric: Fabric, _model: nn.Module, fit: Callable[[Progress], object], reports: Any, threads: int
) -> None:
    """Runs in each process, and reports an error that a user can mend.

    Raised, only its text would arrive; returned, it may be lost, for the threads of a process group can abort a process
    that ends before the others.

    The model stands among the arguments so that Fabric gives each process weights of its own; ``fit`` holds the same.
    """
    end_with_parent()
    torch.set_num_threads(threads)
    try:
        fit(_Reports(reports if fabric.is_global_zero else None))
    except TbgError as error:
        reports.put(("error", error))


class _Reports:
    """Progress and bar in a process: what they are told goes to the one that started it; of the others, nothing."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue

    def _send(self, *message: Any) -> None:
        if self.queue is not None:
            self.queue.put(message)

    def say(self, text: str) -> None:
        self._send("say", text)

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "") -> Iterator[_Reports]:
        self._send("begin", name, total, unit)
        yield self
        self._send("end")

    def advance(self, n: int = 1, *, note: str = "") -> None:
        self._send("advance", n, note)


def _listen(reports: Any, progress: Progress, errors: list[TbgError]) -> None:
    """Passes on what a process says of itself, until None; keeps the errors of all."""
    stages: list[Any] = []
    while (message := reports.get()) is not None:
        kind, *content = message
        if kind == "error":
            errors.extend(content)
        elif kind == "say":
            progress.say(*content)
        elif kind == "begin":
            name, total, unit = content
            stage = progress.stage(name, total=total, unit=unit)
            stages.append((stage, stage.__enter__()))
        elif kind == "advance":
            stages[-1][1].advance(content[0], note=content[1])
        else:
            stages.pop()[0].__exit__(None, None, None)
    for stage, _ in reversed(stages):  # a process that died did not end them
        stage.__exit__(None, None, None)
