"""The one writer of a views file, on a thread of its own so that SQLite never holds up the event loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from stream.sinks.reading import Batch, Place
from stream.sinks.views.apply import (
    Resume,
    apply_batch,
    drop_expired_dead_letters,
    remember_cluster,
    resume,
    start_over,
)
from stream.sinks.views.file import WriterLock, discard, is_damage, open_for_writing

T = TypeVar("T")


class ViewsWriter:
    """Open between `async with`; raises ConfigurationError there when another process writes the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = WriterLock(path)
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        self._lock.acquire()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="views")
        try:
            self._connection = await self._in_thread(lambda: open_for_writing(self._path))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def apply(self, batch: Batch) -> int:
        """Write a batch with its positions; returns how many records could not be taken."""
        return await self._write(lambda connection: apply_batch(connection, batch))

    async def resume(self) -> Resume:
        """What the file already has."""
        return await self._write(resume)

    async def begin(self, cluster: str, starts: Mapping[Place, int]) -> None:
        """Note whose log is followed, and forget dead letters that it no longer has."""

        def work(connection: sqlite3.Connection) -> None:
            remember_cluster(connection, cluster)
            drop_expired_dead_letters(connection, starts)

        await self._write(work)

    async def forget_letters(self, starts: Mapping[Place, int]) -> None:
        """Forget dead letters that their topic no longer has: what it still has begins at `starts`."""
        await self._write(lambda connection: drop_expired_dead_letters(connection, starts))

    async def start_over(self) -> None:
        """Empty the views."""
        await self._write(start_over)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection
        assert connection is not None, "the writer is not open"
        try:
            return await self._in_thread(lambda: work(connection))
        except sqlite3.DatabaseError as error:
            if is_damage(error):  # who opens it next builds it anew
                discard(self._path)
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _close(self) -> None:
        # What is under way ends first: a connection is not closed beneath a statement.
        if self._thread is not None:
            self._thread.submit(self._close_connection)
            await asyncio.shield(asyncio.to_thread(self._thread.shutdown))
        self._lock.release()

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
