"""One list of the vendor over a long time, in as few calls as it allows.

Nobody knows whether it limits the range of a call or the rows of an answer: a range that it refuses, and an answer
that may have been cut off, are asked for again in halves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from producers.alpine_iq.client import FailedInSuccess
from producers.http import NotFound
from stream.contracts.names import Millis
from stream.errors import Refused, VendorError

HOUR_MS = 3_600_000
NARROWEST_MS = 7 * 24 * HOUR_MS
"""A vendor that refuses a week refuses it for another reason."""
ROUND = 100
"""Limits are round numbers: an answer of just so many hundred rows may lack some."""

Ask = Callable[[int, int], Awaitable[list[bytes]]]
"""The rows between two times in epoch seconds; raises `VendorError`."""


class Slice(NamedTuple):
    """The rows between `start` and before `end`, UTC ms; the vendor may list some from around it too."""

    start: Millis
    end: Millis
    rows: list[bytes]


class Slices:
    """Remembers the widest range that the vendor took, while the process lives."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._widest_ms: int | None = None

    async def read(self, start: Millis, end: Millis) -> list[Slice]:
        """Everything from `start` to before `end`. Raises `VendorError`."""
        try:
            return await self._read(start, end)
        except VendorError:
            self._widest_ms = None
            raise

    async def _read(self, start: int, end: int) -> list[Slice]:
        found: list[Slice] = []
        while start < end:
            until = end if self._widest_ms is None else min(end, start + self._widest_ms)
            found += await self._slice(start, until)
            start = until
        return found

    async def _slice(self, start: int, end: int) -> list[Slice]:
        try:
            # Whether the vendor counts the bounds in is unknown: a second more on both sides.
            rows = await self._ask(start // 1000 - 1, -(-end // 1000) + 1)
        except (Refused, FailedInSuccess) as error:
            if isinstance(error, NotFound) or end - start <= NARROWEST_MS:
                raise
            self._widest_ms = (end - start) // 2
            return await self._read(start, end)
        if rows and len(rows) % ROUND == 0 and end - start > HOUR_MS:
            middle = (start + end) // 2
            return await self._read(start, middle) + await self._read(middle, end)
        return [Slice(Millis(start), Millis(end), rows)]
