"""Reading `deliveries`: the last record of every message, and then what comes."""

from __future__ import annotations

from typing import NamedTuple

import structlog

from stream.contracts import topics
from stream.contracts.deliveries import DELIVERIES, Delivery
from stream.contracts.envelope import Event
from stream.engine.ports import Input
from stream.errors import BadRecord
from stream.sinks import reading
from stream.sinks.reading import Positions

log = structlog.get_logger(__name__)

BATCH_RECORDS = 2000
WAIT_MS = 250


class Entry(NamedTuple):
    """A message to a channel of an org, and how it stands."""

    org: str
    delivery: Delivery


class DeliveryReader:
    """Open it, then read; close it whatever happened."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._positions: Positions = {}
        self._consumer = reading.new_consumer(bootstrap)

    async def all(self) -> list[Entry]:
        """Connect and read to the end: every message as its last record says. Raises Unreachable."""
        await reading.start_consumer(self._consumer, self._bootstrap)
        places = (await reading.describe_cluster(self._bootstrap)).places(self._prefix, [topics.DELIVERIES])
        self._consumer.assign([reading.kafka_partition(self._prefix, place) for place in places])
        await self._consumer.seek_to_beginning()
        ends = await reading.ends_of(self._consumer, self._prefix, places)
        latest: dict[bytes, Entry | None] = {}
        while any(self._positions.get(place, 0) < end for place, end in ends.items()):
            for record in await self._records():
                event = _event(record)
                latest[record.key or b""] = None if event is None else Entry(event.org, event.data)
        return [entry for entry in latest.values() if entry is not None]

    async def next(self) -> list[Event[Delivery]]:
        """What has come since; waits a little."""
        return [event for record in await self._records() if (event := _event(record)) is not None]

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def _records(self) -> list[Input]:
        batch = await reading.next_batch(
            self._consumer, self._prefix, self._positions, max_records=BATCH_RECORDS, wait_ms=WAIT_MS
        )
        self._positions |= batch.positions
        return batch.records


def _event(record: Input) -> Event[Delivery] | None:
    if record.value is None:
        return None
    try:
        return DELIVERIES.decode(record.value)
    except BadRecord as error:
        where = f"{record.topic}/{record.partition}/{record.offset}"
        log.warning("notify: a delivery cannot be read", record=where, reason=str(error)[:200])
        return None
