"""How long a new order takes from the point of sale to the profile that counts it, read from the log itself.

The fact says when the order was made; the entry of the same offset, written in one transaction with the profile, when
it counted. Nothing is asked of the agents, which have no clock. Of a backlog only the newest records are looked at:
under load this is a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from stream.contracts import topics
from stream.contracts.entries import Cause
from stream.contracts.topics import Topic
from stream.engine.connecting import connect
from stream.errors import Unreachable

LIVE_MS = 3_600_000
"""An order that was older when it was published is no news: a backfill, or one that was found late."""
SAMPLE_RECORDS = 250
"""Per partition and look."""
WAIT_MS = 200
FETCH_BYTES = 256 << 10

Observe = Callable[[str, float], None]
Records = Iterable[ConsumerRecord[bytes, bytes]]


class _Order(msgspec.Struct):
    created_at: int


class _Fact(msgspec.Struct, tag_field="type", tag="OrderObserved"):
    data: _Order


class _Step(msgspec.Struct):
    cause: Cause
    version: int


class _Entry(msgspec.Struct, tag_field="type", tag="PointsEntry"):
    org: str
    data: _Step


class _Place(NamedTuple):
    partition: int
    offset: int


_fact = msgspec.json.Decoder(_Fact).decode
_entry = msgspec.json.Decoder(_Entry).decode


class Arrivals:
    """Matches facts and entries. `observe` is told the org and the seconds of each new order that arrived."""

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._made: dict[_Place, int] = {}

    def facts(self, records: Records) -> None:
        """Remember when live orders were made."""
        for record in records:
            try:
                made_at = _fact(record.value or b"").data.created_at
            except msgspec.DecodeError:
                continue  # another kind of fact
            if record.timestamp - made_at <= LIVE_MS:
                self._made[_Place(record.partition, record.offset)] = made_at

    def entries(self, records: Records) -> None:
        """Orders that count now, or are known not to."""
        for record in records:
            try:
                entry = _entry(record.value or b"")
            except msgspec.DecodeError:
                continue
            if entry.data.cause is not Cause.ORDER_ADDED:
                continue
            made_at = self._made.pop(_Place(record.partition, entry.data.version), None)
            if made_at is not None:
                self._observe(entry.org, max(record.timestamp - made_at, 0) / 1000)

    def forget(self, before_ms: int) -> None:
        """Observations that changed nothing have no entry, and those of orders made before `before_ms` never will."""
        self._made = {place: made_at for place, made_at in self._made.items() if made_at >= before_ms}


class ArrivalReader:
    """Feeds `Arrivals` with what is new in some partitions. Begins at the end of the log."""

    def __init__(self, bootstrap: str, prefix: str, observe: Observe) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._arrivals = Arrivals(observe)
        self._positions: dict[TopicPartition, int] = {}

    async def look(self, partitions: Iterable[int], now_ms: int) -> None:
        """Take in what was written to these partitions since the last look. Raises Unreachable."""
        facts, entries = ([self._at(topic, n) for n in partitions] for topic in (topics.FACTS, topics.ENTRIES))
        self._positions = {tp: at for tp, at in self._positions.items() if tp in {*facts, *entries}}
        if not facts:
            return
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
            consumer.assign([*facts, *entries])
            consumer.pause(*facts, *entries)
            # An entry is never in the log before its fact: with the ends in this order none is missed.
            ends = await consumer.end_offsets(entries) | await consumer.end_offsets(facts)
            self._arrivals.facts(await self._new(consumer, facts, ends))
            self._arrivals.entries(await self._new(consumer, entries, ends))
        except (KafkaError, OSError) as error:
            raise Unreachable(f"the log at {self._bootstrap} cannot be measured: {error!r}") from error
        finally:
            await consumer.stop()
        self._arrivals.forget(now_ms - 2 * LIVE_MS)

    async def _new(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition], ends: dict[TopicPartition, int]
    ) -> list[ConsumerRecord[bytes, bytes]]:
        found: list[ConsumerRecord[bytes, bytes]] = []
        for tp in partitions:
            end = ends[tp]
            start = max(self._positions.get(tp, end), end - SAMPLE_RECORDS)
            self._positions[tp] = end
            if start < end:
                consumer.seek(tp, start)
                consumer.resume(tp)
                found += await _until(consumer, tp, end)
                consumer.pause(tp)
        return found

    def _at(self, topic: Topic, partition: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic.name, partition)


async def _until(consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> list[ConsumerRecord[bytes, bytes]]:
    found: list[ConsumerRecord[bytes, bytes]] = []
    while await consumer.position(tp) < end:
        fetched = await consumer.getmany(tp, timeout_ms=WAIT_MS)
        found += [record for record in fetched.get(tp, []) if record.offset < end]
    return found
