"""Whether the loyalty provider answers, told once per change, across restarts and changes of owner."""

from __future__ import annotations

import asyncio

from producers.alpine_iq.client import AlpineIQClient
from producers.alpine_iq.translate import SOURCE
from producers.cursors import Cursors
from producers.http import Clock
from producers.redaction import redacted
from stream.contracts import topics
from stream.contracts.cursors import Cursor
from stream.contracts.names import OrgId
from stream.contracts.runs import RUNS, ProviderRecovered, ProviderUnavailable
from stream.engine.ports import Output, Publisher
from stream.errors import VendorError

CURSOR = "alpine_iq-availability"
PROBE_SECONDS = 60.0
_DOWN_SINCE = "down_since"


class Availability:
    """Reports ProviderUnavailable and ProviderRecovered to `runs`. Remembers in a cursor what it told last."""

    def __init__(self, org: OrgId, publisher: Publisher, cursors: Cursors, clock: Clock | None = None) -> None:
        self._org = org
        self._publisher = publisher
        self._cursors = cursors
        self._clock = clock or Clock()
        self._turn = asyncio.Lock()
        self._known = False
        self._down = asyncio.Event()

    async def answered(self) -> None:
        """The provider did what it was asked."""
        async with self._turn:
            if await self._is_down():
                now = self._now()
                await self._tell(ProviderRecovered(since=now), Cursor(through=now))
                self._down.clear()

    async def failed(self, error: VendorError) -> None:
        """The provider did not answer, or refused us."""
        async with self._turn:
            if not await self._is_down():
                now = self._now()
                body = ProviderUnavailable(since=now, reason=redacted(str(error)))
                await self._tell(body, Cursor(through=now, detail={_DOWN_SINCE: str(now)}))
                self._down.set()

    async def watch(self, client: AlpineIQClient) -> None:
        """While the provider is down, ask every minute whether it is back. Runs until cancelled."""
        async with self._turn:
            await self._is_down()
        while True:
            await self._down.wait()
            await self._clock.sleep(PROBE_SECONDS)
            try:
                await client.members(0, 100)
            except VendorError:
                continue
            await self.answered()

    async def _is_down(self) -> bool:
        if not self._known:
            cursor = await self._cursors.load(self._org, CURSOR)
            self._known = True
            if cursor is not None and _DOWN_SINCE in cursor.detail:
                self._down.set()
        return self._down.is_set()

    async def _tell(self, body: ProviderUnavailable | ProviderRecovered, cursor: Cursor) -> None:
        value = RUNS.encode(body, org=self._org, at=cursor.through, source=SOURCE)
        await self._publisher.publish([Output(topics.RUNS.name, self._org.encode(), value)])
        await self._cursors.save(self._org, CURSOR, cursor)

    def _now(self) -> int:
        return int(self._clock.wall() * 1000)
