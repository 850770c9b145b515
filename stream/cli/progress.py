"""Progress of long work on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from stream.ops.progress import Progress

LINE_EVERY_SECONDS = 5.0


@contextmanager
def shown_progress(to: TextIO | None = None) -> Iterator[Progress]:
    """Tell of progress on `to` (stderr) while the block runs."""
    target = to or sys.stderr
    if not target.isatty():
        yield Lines(target, time.monotonic)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(file=target)) as bars:
        yield _Bar(bars)


class Lines:
    """A line when a phase begins, when it is complete, and in between not more often than every five seconds."""

    def __init__(self, to: TextIO, clock: Callable[[], float]) -> None:
        self._to = to
        self._clock = clock
        self._said: dict[str, float] = {}

    def __call__(self, phase: str, done: int = 0, total: int | None = None) -> None:
        now = self._clock()
        due = phase not in self._said or done == total or now - self._said[phase] >= LINE_EVERY_SECONDS
        if not due:
            return
        self._said[phase] = now
        amount = f" {done:,}" if done or total is not None else ""
        print(f"{phase}{amount}{f' of {total:,}' if total is not None else ''}", file=self._to, flush=True)


class _Bar:
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, phase: str, done: int = 0, total: int | None = None) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(phase, total=total)
        self._bars.update(self._tasks[phase], completed=done, total=total)
