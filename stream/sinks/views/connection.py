"""A reader's connection to the views file, one per thread, and how far the views are."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import msgspec

from stream.sinks.reading import Place, Positions
from stream.sinks.views.file import open_for_reading

Cell = str | int | None
Row = tuple[Cell, ...]

POLL_SECONDS = 0.02


class Reader:
    """Reads a views file. Opens it with the first question; raises Unreachable then when there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()

    def positions(self) -> Positions:
        """Per partition the offset of the next record: everything before is in the views."""
        rows = self.rows("SELECT topic, partition, next_offset FROM positions")
        return {Place(*msgspec.convert(row[:2], tuple[str, int])): msgspec.convert(row[2], int) for row in rows}

    def reached(self, ends: Positions) -> bool:
        """Whether everything before `ends` is in the views."""
        positions = self.positions()
        return all(positions.get(place, 0) >= end for place, end in ends.items())

    async def wait_for(self, done: Callable[[Self], bool] | Positions, *, timeout: float) -> None:
        """Wait until `done` holds, or until these positions are reached. Raises TimeoutError after `timeout` s.

        Works in any process: the question is asked again whenever somebody has written to the file.
        """
        question = done if callable(done) else lambda views: views.reached(done)
        changed = self.watch()
        async with asyncio.timeout(timeout):
            while not question(self):
                await changed()

    def watch(self, poll_seconds: float = POLL_SECONDS) -> Callable[[], Awaitable[None]]:
        """What returns when somebody has written to the file since it was last called, or since it was made.

        To be called in the thread that made it.
        """
        seen = self._data_version()

        async def changed() -> None:
            nonlocal seen
            while (version := self._data_version()) == seen:
                await asyncio.sleep(poll_seconds)
            seen = version

        return changed

    def close(self) -> None:
        """Close this thread's connection; those of other threads close with their threads."""
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is not None:
            del self._mine.connection
            connection.close()

    def rows(self, sql: str, values: tuple[Cell, ...] = ()) -> list[Row]:
        """The answer to one question. Every question of the views goes through here."""
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = open_for_reading(self._path)
        return connection.execute(sql, values).fetchall()

    def _data_version(self) -> int:
        return msgspec.convert(self.rows("PRAGMA data_version")[0][0], int)


def number(cell: Cell) -> int:
    """A cell that is an integer."""
    return msgspec.convert(cell, int)
