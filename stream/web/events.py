"""Server-sent events: what changes in the views, as it changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

import msgspec
from starlette.responses import StreamingResponse

from stream.sinks.views.read import Views
from stream.web.problems import Problem

LOOK_SECONDS = 0.25
HEARTBEAT_SECONDS = 15.0
LONGEST_SECONDS = 3600.0
STREAMS_MAX = 200
STREAMS_OF_A_CALLER = 20
TYPE = "text/event-stream"


@dataclass(frozen=True)
class Event:
    """`id`: where to go on after it (`Last-Event-ID`)."""

    name: str
    data: object
    id: str | None = None

    def encode(self) -> bytes:
        """As it goes over the wire."""
        head = f"event: {self.name}\n" + (f"id: {self.id}\n" if self.id is not None else "")
        return head.encode() + b"data: " + msgspec.json.encode(self.data) + b"\n\n"


class Streams:
    """The streams that are open: each holds a connection. `each`: of one caller, `most`: of all."""

    def __init__(self, most: int = STREAMS_MAX, each: int = STREAMS_OF_A_CALLER) -> None:
        self._most = most
        self._each = each
        self._open: Counter[str] = Counter()

    def opened(self, caller: str) -> int:
        """How many this caller has open."""
        return self._open[caller]

    def respond(self, caller: str, still: Callable[[], bool], events: AsyncIterator[bytes]) -> StreamingResponse:
        """The response, to this caller for as long as they may `still` see it. Raises Problem: 429 when they have too
        many open, 503 when all have."""
        if self._open[caller] >= self._each:
            raise Problem(429, f"you have {self._each} streams open: close some", headers={"retry-after": "60"})
        if self._open.total() >= self._most:
            raise Problem(503, "too many streams are open: poll instead", headers={"retry-after": "60"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(self._counted(caller, still, events), media_type=TYPE, headers=headers)

    async def _counted(
        self, caller: str, still: Callable[[], bool], events: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        if self._open[caller] >= self._each:  # they all came at once
            return
        self._open[caller] += 1
        try:
            async for event in events:
                if not still():
                    return
                yield event
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


async def whenever_changed(
    views: Views,
    look: Callable[[], Iterable[Event]],
    *,
    over: Callable[[], bool] = lambda: False,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    longest_seconds: float = LONGEST_SECONDS,
) -> AsyncIterator[bytes]:
    """What `look` finds, now and whenever somebody has written to the views, until `over`; a comment now and then keeps
    the connection. After the longest time it ends: browsers open it again by themselves, where they were."""
    changed = views.watch(LOOK_SECONDS)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_seconds):
            while True:
                for event in look():
                    yield event.encode()
                if over():
                    return
                if not await _within(changed, heartbeat_seconds):
                    yield b": still here\n\n"


async def _within(changed: Callable[[], Awaitable[None]], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await changed()
    except TimeoutError:
        return False
    return True
