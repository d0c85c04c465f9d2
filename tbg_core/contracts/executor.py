"""Contract of executors: where independent units of work are computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import BrokenExecutor
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import concurrent.futures
    from contextlib import AbstractContextManager


class Executor(ABC):
    """Workers, here or elsewhere.

    A unit writes its result to a file, whole or not at all, and the same bytes whoever computes it. So a unit whose
    worker died may be given to another, and one that is computed twice does no harm. Workers see the folders of the
    job under the same paths, and have the same packages installed.

    Attributes:
        local: True if workers are processes of this machine, so that a single one may as well be this process.
    """

    local: ClassVar[bool] = False

    @property
    def failures(self) -> tuple[type[BaseException], ...]:
        """Errors of a future that mean that its workers died, not that the work went wrong."""
        return (BrokenExecutor,)

    @abstractmethod
    def open(self, workers: int) -> AbstractContextManager[concurrent.futures.Executor]:
        """Workers, for as long as the context lasts; what has not begun when it ends is given up.

        Each worker computes one unit at a time.

        Args:
            workers: How many the user asked for (``--threads``); an executor with a size of its own may ignore it.

        Raises:
            ConfigError: If there are none to be had.
        """
