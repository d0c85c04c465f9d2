"""Progress on a terminal, and in log files: rate, remaining time, and the latest note."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tbg_core.pipeline.progress import NullProgress, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from tbg_core.pipeline.progress import Bar

_SECONDS_BETWEEN_LINES = 10.0


def make_progress(*, quiet: bool) -> Progress:
    """Bars on a terminal, plain lines elsewhere, nothing if ``quiet``; always on stderr."""
    if quiet:
        return NullProgress()
    if sys.stderr.isatty():
        from rich.console import Console

        return TerminalProgress(Console(stderr=True, highlight=False))
    return PlainProgress()


class TerminalProgress:
    """Bars by rich."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "") -> Iterator[Bar]:
        """Shows a bar for the time of the block."""
        from rich import progress as rp

        columns = (
            rp.TextColumn("{task.description:<10}"),
            rp.BarColumn(bar_width=24),
            rp.MofNCompleteColumn(),
            rp.TextColumn("{task.fields[rate]}", style="progress.data.speed"),
            rp.TimeElapsedColumn(),
            rp.TextColumn("left"),
            rp.TimeRemainingColumn(),
            rp.TextColumn("{task.fields[note]}", style="dim", markup=False),
        )
        with rp.Progress(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total, note="", rate="")
            yield _RichBar(bars, task, unit)

    def say(self, text: str) -> None:
        """Prints above the bars."""
        self._console.print(text, markup=False)


class _RichBar:
    def __init__(self, bars: RichProgress, task: TaskID, unit: str) -> None:
        self._bars = bars
        self._task = task
        self._unit = unit
        self._meter = _Meter()

    def advance(self, n: int = 1, *, note: str = "") -> None:
        rate = self._meter.advance(n)
        self._bars.update(self._task, advance=n, rate=_per_second(rate, self._unit))
        if note:
            self._bars.update(self._task, note=note)


class PlainProgress:
    """One line at the start of a stage, every few seconds, and at its end."""

    def __init__(self, interval: float = _SECONDS_BETWEEN_LINES) -> None:
        self._interval = interval

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: str = "") -> Iterator[Bar]:
        """Prints lines for the time of the block."""
        count = "" if total is None else f" {total} {unit}".rstrip()
        self.say(f"{name}:{count or ' started'}")
        bar = _PlainBar(name, total, unit, self._interval)
        yield bar
        bar.finish()

    def say(self, text: str) -> None:
        """Prints at once."""
        print(text, file=sys.stderr, flush=True)


class _PlainBar:
    def __init__(self, name: str, total: int | None, unit: str, interval: float) -> None:
        self._name, self._total, self._unit, self._interval = name, total, unit, interval
        self._meter = _Meter()
        self._note = ""
        self._printed = time.monotonic()

    def advance(self, n: int = 1, *, note: str = "") -> None:
        self._meter.advance(n)
        self._note = note or self._note
        if time.monotonic() - self._printed >= self._interval:
            self._print(self._remaining())

    def finish(self) -> None:
        self._print(f"done in {_clock(time.monotonic() - self._meter.began)}")

    def _remaining(self) -> str:
        rate = self._meter.rate
        if self._total is None or not rate:
            return ""
        return f"{_clock((self._total - self._meter.done) / rate)} left"

    def _print(self, end: str) -> None:
        self._printed = time.monotonic()
        count = f"{self._meter.done}" if self._total is None else f"{self._meter.done}/{self._total}"
        parts = [f"{count} {self._unit}".rstrip(), _per_second(self._meter.rate, self._unit), end, self._note]
        print(f"{self._name}: {', '.join(p for p in parts if p)}", file=sys.stderr, flush=True)


class _Meter:
    """Rate since the first report; what a resumed run found done is not counted as fast work."""

    def __init__(self) -> None:
        self.began = self._from = time.monotonic()
        self.done = 0
        self._counted = 0
        self.rate = 0.0

    def advance(self, n: int) -> float:
        now = time.monotonic()
        self.done += n
        if not self._counted and now - self.began < 0.05:  # nothing real is that fast
            self._from = now
            return self.rate
        self._counted += n
        self.rate = self._counted / max(now - self._from, 1e-9)
        return self.rate


def _per_second(rate: float, unit: str) -> str:
    if not rate:
        return ""
    if rate < 1.0:
        return f"{1.0 / rate:.1f} s/{unit.removesuffix('s') or 'step'}"
    return f"{rate:.3g} {unit or 'steps'}/s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
