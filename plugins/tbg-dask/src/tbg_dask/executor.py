"""Workers of dask.distributed."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import dask
from distributed import Client, LocalCluster
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker
from typing_extensions import override

from tbg_core.contracts.executor import Executor
from tbg_core.errors import ConfigError

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Iterator

    from tbg_dask.config import DaskConfig

_JOB_CLASSES: Final = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
    "htcondor": "HTCondorCluster",
}
_PROJECT: Final = frozenset({"sge", "lsf", "oar"})
"""Batch systems that call an account a project."""


class DaskExecutor(Executor):
    """Processes of one thread each, which a dask scheduler gives work to.

    A worker that dies is replaced by its nanny, and what it was computing is given to another.

    Args:
        config: Where they come from.
    """

    def __init__(self, config: DaskConfig) -> None:
        self.config = config

    @property
    @override
    def failures(self) -> tuple[type[BaseException], ...]:
        return (BrokenExecutor, KilledWorker, CommClosedError, CancelledError)

    @override
    @contextmanager
    def open(self, workers: int) -> Iterator[concurrent.futures.Executor]:
        with ExitStack() as stack:
            stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": self.config.deaths}))
            client = stack.enter_context(self._client(stack, self.config.workers or workers))
            try:
                client.wait_for_workers(1, timeout=self.config.wait_s)
            except TimeoutError:
                raise ConfigError(
                    f"no dask worker came within {self.config.wait_s:g} s.",
                    fix="See what the scheduler or the batch system says, or raise executor.wait_s.",
                ) from None
            # Not pure: equal units are not to be taken for one.
            pool = client.get_executor(pure=False)
            try:
                yield pool
            finally:
                pool.shutdown(wait=False)

    def _client(self, stack: ExitStack, workers: int) -> Client:
        if self.config.address is None:
            return Client(stack.enter_context(self._cluster(workers)))
        try:
            return Client(self.config.address, timeout=min(self.config.wait_s, 30.0))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"there is no dask scheduler at {self.config.address} ({error}).",
                fix="Start one with `dask scheduler`, or leave executor.address out.",
            ) from error

    def _cluster(self, workers: int) -> Any:
        if self.config.cluster == "local":
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=self.config.memory,
                dashboard_address=None,
            )
        import dask_jobqueue

        cluster = getattr(dask_jobqueue, _JOB_CLASSES[self.config.cluster])(**self.job_options())
        cluster.scale(workers)
        return cluster

    def job_options(self) -> dict[str, Any]:
        """What dask-jobqueue is asked for: one process of one core a job; where we say nothing its own files count."""
        account = "project" if self.config.cluster in _PROJECT else "account"
        wanted = {
            "walltime": self.config.walltime,
            "queue": self.config.queue,
            account: self.config.account,
            "job_extra_directives": list(self.config.directives) or None,
        }
        return {
            "cores": 1,
            "processes": 1,
            "memory": self.config.memory,
            **{name: value for name, value in wanted.items() if value is not None},
        }
