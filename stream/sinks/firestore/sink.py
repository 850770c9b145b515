"""The Firestore export: from committed records to acknowledged documents.

    1  fetch what is committed
    2  translate; keep the newest per document
    3  write, and publish dead letters for what cannot be written
    4  commit the group's offsets

A crash before 4 does 2 and 3 again: writes are absolute and versioned, so nothing changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from stream.contracts import topics
from stream.engine.ports import Input, Publisher
from stream.errors import BadRecord
from stream.sinks import reading
from stream.sinks.firestore.connection import Connection, connect
from stream.sinks.firestore.dead import DeadLetters
from stream.sinks.firestore.translate import write_of
from stream.sinks.firestore.write import DocumentWrite
from stream.sinks.firestore.writer import Counts, DocumentWriter
from stream.sinks.reading import Batch, Positions

log = structlog.get_logger(__name__)

GROUP = "firestore"
TOPICS = (topics.PROFILES, topics.RUNS, topics.ALERTS, topics.SETTINGS)
BATCH_RECORDS = 2000
WAIT_MS = 250
REVOKE_SECONDS = 10.0
STEP_SECONDS = 0.02


class FirestoreSink:
    """Exports profiles, runs, alerts and settings, and points entries when `entries` is set, until `run` is cancelled.

    `bootstrap`, `prefix`: where the log is; the consumer group is `<prefix><group>`. `publisher` takes dead
    letters. `project`, `database`: where to; `emulator_host` (`host:port`) instead of Google's.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        publisher: Publisher,
        *,
        project: str,
        database: str = "(default)",
        emulator_host: str | None = None,
        entries: bool = False,
        batch_records: int = BATCH_RECORDS,
        group: str = GROUP,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._project = project
        self._database = database
        self._emulator_host = emulator_host
        self._batch_records = batch_records
        self._group = prefix + group
        self._topics = (*TOPICS, topics.ENTRIES) if entries else TOPICS
        self._dead_letters = DeadLetters(publisher)
        self._positions: Positions = {}
        self._committed: Positions = {}
        self._round = asyncio.Lock()
        self._writer: DocumentWriter | None = None

    @property
    def counts(self) -> Counts:
        """What became of writes since the start."""
        return self._writer.counts if self._writer else Counts()

    @property
    def dead_letters(self) -> int:
        """Records given up since the start."""
        return self._dead_letters.count

    def positions(self) -> Positions:
        """Per partition of this member: everything before is in Firestore, and committed."""
        return dict(self._committed)

    def standing(self) -> tuple[bool, str]:
        """For `/readyz`: whether partitions are exported (a topic without records counts) and Firestore takes what is
        written, and why not."""
        if self._writer is not None and self._writer.failing is not None:
            return False, f"Firestore does not take what is written: {self._writer.failing}"
        return bool(self._committed), f"{len(self._committed)} partitions are exported"

    async def wait_for(self, ends: Positions, *, timeout: float) -> None:
        """Wait until everything before `ends` is in Firestore (as far as it is exported). Raises TimeoutError."""
        wanted = {place: end for place, end in ends.items() if place.topic in {topic.name for topic in self._topics}}
        async with asyncio.timeout(timeout):
            while any(self._committed.get(place, -1) < end for place, end in wanted.items()):
                await asyncio.sleep(STEP_SECONDS)

    async def run(self) -> None:
        """Export until cancelled; while Firestore is busy or away, wait for it.

        Raises Refused when Firestore denies access, ConfigurationError for a wrong database or a missing topic,
        PartitionStopped when too much cannot be exported, Unreachable when no broker answers at the start.
        """
        connection = await connect(self._project, self._database, emulator_host=self._emulator_host)
        try:
            await self._export(connection)
        finally:
            await connection.close()

    async def _export(self, connection: Connection) -> None:
        writer = self._writer = DocumentWriter(connection)
        (await reading.describe_cluster(self._bootstrap)).places(self._prefix, self._topics)  # all must exist
        consumer = reading.new_consumer(self._bootstrap, group=self._group)
        await reading.start_consumer(consumer, self._bootstrap)
        try:
            consumer.subscribe([self._prefix + topic.name for topic in self._topics], listener=_Rebalance(self, writer))
            while True:
                await self._step(consumer, writer)
        finally:
            await consumer.stop()

    async def _step(self, consumer: AIOKafkaConsumer, writer: DocumentWriter) -> None:
        try:
            batch = await reading.next_batch(  # 1
                consumer, self._prefix, self._positions, max_records=self._batch_records, wait_ms=WAIT_MS
            )
        except IllegalStateError:
            return  # a partition was revoked while its position was asked for
        if batch.positions:
            async with self._round:
                await self._carry_out(batch, writer)  # 2, 3
                await self._commit(consumer, batch.positions)  # 4

    async def _carry_out(self, batch: Batch, writer: DocumentWriter) -> None:
        self._dead_letters.passed(len(batch.records))
        writes, failed = _translated(batch.records)
        failed += [(poison.write.origin, poison.reason) for poison in await writer.write(writes)]
        await self._dead_letters.give_up(failed)

    async def _commit(self, consumer: AIOKafkaConsumer, positions: Positions) -> None:
        self._positions |= positions
        owned = {reading.place_of(self._prefix, partition) for partition in consumer.assignment()}
        due = {place: self._positions[place] for place in owned & self._positions.keys()}
        due = {place: offset for place, offset in due.items() if self._committed.get(place) != offset}
        if not due:
            return
        try:
            await consumer.commit({reading.kafka_partition(self._prefix, p): offset for p, offset in due.items()})
        except (CommitFailedError, IllegalStateError):
            log.info("firestore: partitions went to another member before their offsets were committed")
        except KafkaError as error:
            log.warning("firestore: offsets not committed, with the next batch then", error=repr(error))
        else:
            self._committed |= due

    async def settle(self, revoked: Iterable[TopicPartition]) -> None:
        """Let a round under way end, within a bound, before its partitions go to another member."""
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._round.acquire()
            self._round.release()
        except TimeoutError:
            # Its writes are conditional: whatever lands late is older, and refused.
            log.warning("firestore: a round outlasted the rebalance")
        self.drop(revoked)

    def drop(self, partitions: Iterable[TopicPartition]) -> None:
        """Forget how far we were with these."""
        for partition in partitions:
            place = reading.place_of(self._prefix, partition)
            self._positions.pop(place, None)
            self._committed.pop(place, None)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, sink: FirestoreSink, writer: DocumentWriter) -> None:
        self._sink = sink
        self._writer = writer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._sink.settle(revoked)
        self._writer.forget()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        # Another member may have written since we last looked.
        self._sink.drop(assigned)
        self._writer.forget()


def _translated(records: Iterable[Input]) -> tuple[list[DocumentWrite], list[tuple[Input, str]]]:
    writes: list[DocumentWrite] = []
    failed: list[tuple[Input, str]] = []
    for record in records:
        try:
            write = write_of(record)
        except BadRecord as error:
            failed.append((record, str(error)))
            continue
        if write is not None:
            writes.append(write)
    return writes, failed
