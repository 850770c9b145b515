"""Keeps the views file level with the log: no consumer group, positions in the same transaction as the rows.

A file that is deleted, older or of another version simply reads again. One that was built from another log (another
cluster, topics made anew, a log that lost its tail) is emptied first.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.contracts import topics
from stream.errors import Unreachable
from stream.sinks import reading
from stream.sinks.reading import Positions, kafka_partition, place_of
from stream.sinks.views.apply import Resume
from stream.sinks.views.writer import ViewsWriter

log = structlog.get_logger(__name__)

TOPICS = (
    topics.PROFILES,
    topics.PEOPLE,
    topics.ENTRIES,
    topics.CASES,
    topics.ALERTS,
    topics.RUNS,
    topics.SETTINGS,
    topics.DEAD_LETTERS,
    topics.CURSORS,
    topics.DELIVERIES,
    topics.ACCESS,
    topics.AUDIT,
)
"""What the views are built from."""

BATCH_RECORDS = 10_000
WAIT_MS = 250
RETRY_SECONDS = 1.0
FORGET_SECONDS = 3600.0
"""How often dead letters are forgotten that their topic no longer has."""


class LogReplaced(Exception):
    """The log is not the one that the file was built from."""


class ViewsFollower:
    """Builds the views file from Kafka and keeps it current, until `run` is cancelled.

    `bootstrap`, `prefix`: where the log is. `path`: the SQLite file, which one process at a time writes.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        path: Path,
        *,
        batch_records: int = BATCH_RECORDS,
        forget_seconds: float = FORGET_SECONDS,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._path = path
        self._batch_records = batch_records
        self._forget_seconds = forget_seconds
        self._opened = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._positions: Positions = {}
        self.unreadable = 0
        """Records passed over since the start because they cannot be read."""

    @property
    def ready(self) -> bool:
        """Whether everything that was in the log when following began is in the views."""
        return self._caught_up.is_set()

    async def opened(self) -> None:
        """Return when the file is there and can be read."""
        await self._opened.wait()

    async def caught_up(self) -> None:
        """Return when everything that was in the log when following began is in the views."""
        await self._caught_up.wait()

    async def lag(self) -> int:
        """How many offsets the log is ahead. Raises Unreachable when no broker answers."""
        ends = await reading.end_positions(self._bootstrap, self._prefix, TOPICS)
        return sum(max(end - self._positions.get(place, 0), 0) for place, end in ends.items())

    async def run(self) -> None:
        """Follow the log until cancelled; a broker that goes away is waited for.

        Raises ConfigurationError when another process writes the file or a topic is missing, Unreachable when no
        broker answers at the start.
        """
        async with ViewsWriter(self._path) as writer:
            self._opened.set()
            while True:
                try:
                    await self._follow(writer)
                except LogReplaced as reason:
                    log.warning("views: the log is another one, starting over", reason=str(reason))
                    self._caught_up.clear()
                    await writer.start_over()
                except (KafkaError, Unreachable, OSError) as error:
                    if not self._positions:
                        raise
                    log.warning("views: kafka does not answer, trying again", error=repr(error))
                    await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, writer: ViewsWriter) -> None:
        consumer = reading.new_consumer(self._bootstrap)
        await reading.start_consumer(consumer, self._bootstrap)
        try:
            ends = await self._resume(consumer, writer)
            clock = asyncio.get_running_loop().time
            forget_at = clock() + self._forget_seconds
            while True:
                batch = await reading.next_batch(
                    consumer, self._prefix, self._positions, max_records=self._batch_records, wait_ms=WAIT_MS
                )
                self._refuse_going_back(batch.positions)
                if batch.positions:
                    self.unreadable += await writer.apply(batch)
                    self._positions |= batch.positions
                if not self.ready and _reached(self._positions, ends):
                    log.info("views: level with the log", partitions=len(ends))
                    self._caught_up.set()
                if clock() >= forget_at:
                    await self._forget_letters(consumer, writer)
                    forget_at = clock() + self._forget_seconds
        finally:
            await consumer.stop()

    async def _forget_letters(self, consumer: AIOKafkaConsumer, writer: ViewsWriter) -> None:
        letters = [place for place in self._positions if place.topic == topics.DEAD_LETTERS.name]
        await writer.forget_letters(await reading.starts_of(consumer, self._prefix, letters))

    async def _resume(self, consumer: AIOKafkaConsumer, writer: ViewsWriter) -> Positions:
        """Go to where the file left off. Returns where the log ends now. Raises LogReplaced."""
        cluster = await reading.describe_cluster(self._bootstrap)
        places = cluster.places(self._prefix, TOPICS)
        had = await writer.resume()
        consumer.assign([kafka_partition(self._prefix, place) for place in places])
        starts = await reading.starts_of(consumer, self._prefix, places)
        ends = await reading.ends_of(consumer, self._prefix, places)
        _refuse_other_log(had, cluster.id, ends)
        await self._refuse_other_records(consumer, had, starts, ends)
        # What was kept for days and has gone meanwhile cannot be read any more.
        self._positions = {place: max(had.positions.get(place, 0), starts[place]) for place in places}
        for place, offset in self._positions.items():
            consumer.seek(kafka_partition(self._prefix, place), offset)
        await writer.begin(cluster.id, {p: o for p, o in starts.items() if p.topic == topics.DEAD_LETTERS.name})
        return ends

    async def _refuse_other_records(
        self, consumer: AIOKafkaConsumer, had: Resume, starts: Positions, ends: Positions
    ) -> None:
        """The last record taken must still be itself: topics made anew have others at the same offsets."""
        waiting: dict[TopicPartition, int] = {}
        consumer.pause(*consumer.assignment())
        for place, anchor in had.anchors.items():
            if place in ends and anchor.offset >= starts[place]:
                partition = kafka_partition(self._prefix, place)
                consumer.seek(partition, anchor.offset)
                waiting[partition] = ends[place]
        consumer.resume(*waiting)
        while waiting:
            fetched = await consumer.getmany(*waiting, timeout_ms=WAIT_MS, max_records=1)
            for partition, records in fetched.items():
                place = place_of(self._prefix, partition)
                anchor = had.anchors[place]
                del waiting[partition]
                if (records[0].offset, records[0].timestamp) != anchor and records[0].offset == anchor.offset:
                    raise LogReplaced(f"{place.topic}/{place.partition} has another record at {anchor.offset}")
            # Compaction may have removed it and all after it.
            for partition, end in list(waiting.items()):
                if await consumer.position(partition) >= end:
                    del waiting[partition]
        consumer.resume(*consumer.assignment())

    def _refuse_going_back(self, positions: Positions) -> None:
        """aiokafka starts again at the beginning when its position is not in the log any more."""
        for place, offset in positions.items():
            if offset < self._positions.get(place, 0):
                raise LogReplaced(f"{place.topic}/{place.partition} went back to {offset}")


def _refuse_other_log(had: Resume, cluster: str, ends: Positions) -> None:
    if had.cluster is not None and had.cluster != cluster:
        raise LogReplaced(f"the cluster is {cluster}, the file was built from {had.cluster}")
    for place, offset in had.positions.items():
        if offset > ends.get(place, 0):
            raise LogReplaced(f"{place.topic}/{place.partition} ends at {ends.get(place, 0)}, read up to {offset}")


def _reached(positions: Positions, ends: Positions) -> bool:
    return all(positions.get(place, 0) >= end for place, end in ends.items())
