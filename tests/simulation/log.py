"""The log as producers see it: it takes its time, keeps half of what it was given and says no, and delivers late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random

from stream.engine.memory.log import MemoryBroker
from stream.engine.ports import Output
from stream.errors import Unreachable


class SlowLog:
    """`Publisher` over a `MemoryBroker`. `trouble`: how often a call fails after part of it was written.

    A call that is cancelled (its process was killed) is under way all the same: some of it may still arrive.
    """

    def __init__(self, broker: MemoryBroker, draw: Random) -> None:
        self.broker = broker
        self.trouble = 0.0
        self.published: list[Output] = []
        self._draw = draw
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    async def publish(self, outputs: Iterable[Output]) -> None:
        records = list(outputs)
        if not records:
            return
        delivery = asyncio.create_task(self._deliver(records))
        self._under_way.add(delivery)
        delivery.add_done_callback(self._arrived)
        try:
            await asyncio.shield(delivery)
        except asyncio.CancelledError:
            if self._draw.random() < 0.5:
                delivery.cancel()
            raise

    async def publish_everywhere(self, output: Output) -> None:
        await self.publish(output._replace(partition=number) for number in range(self.broker.partitions))

    async def partitions_of(self, topic: str) -> int:
        return self.broker.partitions

    def append(self, record: Output) -> None:
        """Write one record now."""
        self.broker.append(record.topic, self.broker.place(record), record.key, record.value, record.headers)
        self.published.append(record)

    async def _deliver(self, records: list[Output]) -> None:
        draw = self._draw
        fails = draw.random() < self.trouble
        written = draw.randrange(len(records)) if fails else len(records)
        lot = draw.choice((1, 3, 20, 200)) if len(records) < 100 else draw.choice((20, 200))
        for start in range(0, written, lot):
            await asyncio.sleep(draw.expovariate(100))
            for record in records[start : min(start + lot, written)]:
                self.append(record)
        await asyncio.sleep(draw.expovariate(200))
        if fails:
            raise Unreachable("the broker does not answer")

    def _arrived(self, delivery: asyncio.Task[None]) -> None:
        self._under_way.discard(delivery)
        if not delivery.cancelled():
            delivery.exception()  # whoever published it may be gone
