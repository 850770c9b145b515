"""What the log still holds for a reader: counted from the first record that can be read, not from offsets.

Transaction markers take offsets too, so the offsets between a position and the end of the log are no backlog when
only markers are left: a reader would wait for ever for them to go away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream.engine.connecting import connect
from stream.errors import Unreachable
from stream.sinks.reading import Place, Positions, kafka_partition, place_of

LOOK_SECONDS = 5.0
WAIT_MS = 200
FETCH_BYTES = 64 << 10
"""Only first records are looked at; a batch that is larger comes whole all the same."""


class Backlog(NamedTuple):
    """`records`: from the first unread one to the end of the log, markers between them included. `since`: when that
    one was written (UTC ms); None when there is none."""

    records: int
    since: int | None

    def age_seconds(self, now_ms: float) -> float:
        """How long the first unread record has been waiting."""
        return 0.0 if self.since is None else max(now_ms - self.since, 0.0) / 1000


class BacklogReader:
    """Looks at the log with a consumer of its own, of committed records and in no group."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix

    async def of(self, positions: Positions) -> dict[Place, Backlog]:
        """What is left beyond each position. A partition whose first record could not be fetched in time is left out.

        Raises Unreachable when no broker answers.
        """
        if not positions:
            return {}
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=50,
        )
        try:
            await connect(consumer)
            found = await self._look(consumer, {kafka_partition(self._prefix, at): n for at, n in positions.items()})
        except (KafkaError, OSError) as error:
            raise Unreachable(f"the log at {self._bootstrap} cannot be measured: {error!r}") from error
        finally:
            await consumer.stop()
        return {place_of(self._prefix, partition): backlog for partition, backlog in found.items()}

    async def _look(
        self, consumer: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, Backlog]:
        consumer.assign(list(positions))
        consumer.pause(*positions)
        ends = await consumer.end_offsets(list(positions))
        found = {partition: Backlog(0, None) for partition in positions}
        behind = {partition for partition, next_offset in positions.items() if next_offset < ends[partition]}
        for partition in behind:
            del found[partition]
            consumer.seek(partition, positions[partition])
        consumer.resume(*behind)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                while waiting := behind - found.keys():
                    found |= await _first_records(consumer, waiting, ends)
        except TimeoutError:
            pass  # as far as it is known
        return found


async def _first_records(
    consumer: AIOKafkaConsumer, waiting: Collection[TopicPartition], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Backlog]:
    fetched: dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]] = await consumer.getmany(
        *waiting, timeout_ms=WAIT_MS
    )
    found = {tp: Backlog(ends[tp] - records[0].offset, records[0].timestamp) for tp, records in fetched.items()}
    for tp in waiting:
        if tp not in found and await consumer.position(tp) >= ends[tp]:
            found[tp] = Backlog(0, None)  # only markers were left
    consumer.pause(*found)
    return found
