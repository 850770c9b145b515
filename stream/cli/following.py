"""What is told while something is followed: a run's phases on stderr, and lines on stdout until nobody reads them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, TextIO

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stream.cli.exits import Exit
from stream.cli.progress import Lines

PHASES = ("orders", "balances", "verdicts")
_DOING = {"orders": "reading orders", "balances": "reading balances", "verdicts": "comparing"}


class PhaseTold(NamedTuple):
    """A phase of a run: `state` is `done`, `now`, `failed` or `next`; `said`: what came of it so far."""

    name: str
    state: str
    said: str


@contextmanager
def printing() -> Iterator[None]:
    """While the block prints lines: who reads them may go (`| head`), which ends the command well."""
    try:
        yield
    except BrokenPipeError:
        # Python flushes stdout at its end and would complain of the same thing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(Exit.DONE) from None


@contextmanager
def watched(*, silent: bool, to: TextIO | None = None) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """Takes a run whenever it has changed, and tells it on `to` (stderr): a live display on a terminal, else lines."""
    target = to or sys.stderr
    if silent:
        yield lambda run: None
    elif not target.isatty():
        lines = Lines(target, time.monotonic)
        yield lambda run: _tell(lines, run)
    else:
        display = _Display(time.time)
        with Live(display, console=Console(file=target), refresh_per_second=8):
            yield display.show


def phases_of(run: Mapping[str, object]) -> list[PhaseTold]:
    """Every phase that this kind of run has, in order."""
    names = PHASES if run.get("kind") == "daily" else PHASES[1:]
    current, outcome = str(run.get("phase")), run.get("outcome")
    return [PhaseTold(name, _state(names, name, current, outcome), _said(name, run)) for name in names]


def _state(names: tuple[str, ...], name: str, current: str, outcome: object) -> str:
    if outcome == "completed":
        return "done"
    if name == current:
        return "failed" if outcome == "failed" else "now"
    return "done" if current in names and names.index(name) < names.index(current) else "next"


def _said(name: str, run: Mapping[str, object]) -> str:
    if name == "orders":
        return _counted(run.get("orders"), "orders", run.get("alleavesCalls"))
    if name == "balances":
        return _counted(run.get("balances"), "balances", run.get("alpineCalls"))
    tally = run.get("tally")
    if not isinstance(tally, Mapping):
        return str(run.get("answer") or "")
    return f"{tally['customers']:,} customers, {tally['matched']:,} agree, {tally['discrepancy']:,} need review"


def _counted(count: object, what: str, calls: object) -> str:
    if not isinstance(count, int):
        return ""
    return f"{count:,} {what}" + (f", {calls:,} calls" if isinstance(calls, int) else "")


def _tell(lines: Lines, run: Mapping[str, object]) -> None:
    for phase in phases_of(run):
        if phase.state == "now":
            lines(f"{_DOING[phase.name]} …")
        elif phase.state == "done" and phase.said:
            lines(f"{_DOING[phase.name]}: {phase.said}")
        elif phase.state == "failed":
            lines(f"{_DOING[phase.name]}: failed: {run.get('reason')}")


class _Display:
    """The run as a table that draws itself anew several times a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._run: Mapping[str, object] = {}
        self._spinner = Spinner("dots")

    def show(self, run: Mapping[str, object]) -> None:
        """The run has changed."""
        self._run = run

    def __rich__(self) -> RenderableType:
        """What is on the screen now."""
        table = Table.grid(padding=(0, 1))
        if not self._run:
            table.add_row(self._spinner, Text("waiting for a run"))
            return table
        under_way = self._run.get("outcome") is None
        head: RenderableType = self._spinner if under_way else ""
        seconds = f"{self._clock() - self._began:.0f} s" if under_way else ""
        table.add_row(head, Text(str(self._run.get("id")), style="bold"), Text(_standing(self._run)), Text(seconds))
        for phase in phases_of(self._run):
            mark, style = _MARKS[phase.state]
            table.add_row(Text(mark, style=style), Text(_DOING[phase.name]), Text(phase.said))
        return table


_MARKS = {"done": ("✓", "green"), "now": ("›", "cyan"), "failed": ("✗", "red"), "next": ("·", "dim")}


def _standing(run: Mapping[str, object]) -> str:
    if run.get("outcome") is not None:
        return str(run["outcome"])
    return "queued" if run.get("phase") == "queued" else "under way"
