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
    with Bars(*columns, console=Console(file=target), transient=True) as bars:
        yield _Bar(bars)


class Lines:
    """A line when a phase begins, when it is complete, and in between not more often than every five seconds.

    What was said last of a phase is not said again: a line is news.
    """

    def __init__(self, to: TextIO, clock: Callable[[], float]) -> None:
        self._to = to
        self._clock = clock
        self._said: dict[str, tuple[float, str]] = {}

    def __call__(self, phase: str, done: int = 0, total: int | None = None) -> None:
        now, line = self._clock(), _line(phase, done, total)
        if phase in self._said:
            before, words = self._said[phase]
            if words == line or (done != total and now - before < LINE_EVERY_SECONDS):
                return
        self._said[phase] = (now, line)
        self.say(line)

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=self._to, flush=True)


class _Bar:
    """A bar per phase under way; one that is complete becomes a line above the others."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, phase: str, done: int = 0, total: int | None = None) -> None:
        if done == total and total is not None:
            if phase in self._tasks:
                self._bars.remove_task(self._tasks.pop(phase))
            self.say(_line(phase, done, total))
            return
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(phase, total=total)
        self._bars.update(self._tasks[phase], completed=done, total=total)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _line(phase: str, done: int, total: int | None) -> str:
    if total is None:
        return f"{phase} {done:,}" if done else phase
    if total == 1:
        return f"{phase} … done" if done else f"{phase} …"
    return f"{phase} {done:,} of {total:,}"
