"""How long jobs say how far they are: a protocol, and the silent implementation."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class Bar(Protocol):
    """Progress of one stage."""

    def advance(self, n: int = 1, *, note: str = "") -> None:
        """Counts ``n`` more units as done; ``note`` replaces the text beside the bar unless it is empty."""


class Progress(Protocol):
    """Where a job reports to; all methods are called from one thread."""

    def stage(self, name: str, *, total: int | None = None, unit: str = "") -> AbstractContextManager[Bar]:
        """Begins a stage of ``total`` units (None: unknown) and ends it with the block."""

    def say(self, text: str) -> None:
        """Tells the user one line."""


class NullProgress:
    """Says nothing."""

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "") -> Iterator[Bar]:
        """A stage that is not shown."""
        yield _NullBar()

    def say(self, text: str) -> None:
        """Drops the line."""


class _NullBar:
    def advance(self, n: int = 1, *, note: str = "") -> None:
        """Counts nothing."""
