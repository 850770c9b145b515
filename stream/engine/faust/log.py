"""One owned partition's log: a transactional producer whose start fences the previous owner."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from stream.engine.connecting import connect
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Headers, Output
from stream.errors import Fenced, LoyaltyError

BATCH_BYTES = 1 << 20
STALLED_SECONDS = 45.0
"""How long a broker may keep a transaction waiting: below the rebalance timeout, after which we are replaced."""

Row = tuple[bytes, bytes | None, Headers]


class LogBusy(LoyaltyError):
    """The broker could not take the transaction now; nothing of it is visible. Tried again."""

    retryable = True


class LogStalled(LoyaltyError):
    """The broker left a transaction hanging. Whether it was committed only the changelog knows: exit."""


class KafkaLog:
    """`Log` over Kafka. `changelog` is the full topic name; `partition` that of input and changelog."""

    def __init__(
        self, bootstrap: str, prefix: str, agent: str, changelog: str, partition: int, partitions: int
    ) -> None:
        self._prefix = prefix
        self._changelog = TopicPartition(changelog, partition)
        self._partitions = partitions
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=f"{prefix}{agent}-{partition}",
            max_batch_size=BATCH_BYTES,
            max_request_size=4 * BATCH_BYTES,
            compression_type="snappy",  # a thirteenth of the CPU of lz4 here, for a batch a sixth larger
        )

    async def open(self) -> None:
        """Abort the predecessor's open transaction and fence it."""
        async with _bounded(self._producer):
            await connect(self._producer)

    async def close(self) -> None:
        """Stop writing. Bounded: a broker that is gone must not hold up a rebalance."""
        try:
            async with asyncio.timeout(5):
                await self._producer.stop()
        except (TimeoutError, KafkaError):
            return

    async def begin(self) -> KafkaTransaction:
        """Open a transaction. Raises `Fenced` when another owner has taken over."""
        transaction = KafkaTransaction(self._producer, self._prefix, self._changelog, self._partitions)
        await transaction.begin()
        return transaction


class KafkaTransaction:
    """`Transaction` over Kafka."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str, changelog: TopicPartition, partitions: int) -> None:
        self._producer = producer
        self._prefix = prefix
        self._changelog = changelog
        self._partitions = partitions
        self._pending: list[asyncio.Future[Any]] = []
        self._stored: tuple[asyncio.Future[Any], int] | None = None

    async def begin(self) -> None:
        """See `KafkaLog.begin`."""
        async with _bounded(self._producer):
            await self._producer.begin_transaction()

    async def send(self, outputs: Sequence[Output]) -> None:
        """Add records for other topics; waits for the acknowledgements at commit."""
        rows: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for topic, key, value, headers, partition in outputs:
            if partition is None:
                partition = murmur2_partition(key, self._partitions)
            rows[topic, partition].append((key, value, headers))
        async with _bounded(self._producer):
            for (topic, partition), items in rows.items():
                await self._append(TopicPartition(self._prefix + topic, partition), items)

    async def store(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Add changed keys to the changelog."""
        if not changes:
            return
        async with _bounded(self._producer):
            records = await self._append(self._changelog, ((key, value, ()) for key, value in changes.items()))
        self._stored = self._pending[-1], records

    async def commit(self) -> int:
        """Wait until all is acknowledged, then make it visible. Returns the last changelog offset.

        Raises `LogBusy` only when nothing of it will ever be visible; `LogStalled` when that is not known.
        """
        try:
            async with _bounded(self._producer):
                await asyncio.gather(*self._pending)
        except BaseException:
            await self.abort()
            raise
        try:
            async with _bounded(self._producer):
                await self._producer.commit_transaction()
        except LogBusy as unknown:
            raise LogStalled(f"the commit was not answered: {unknown}") from unknown
        if self._stored is None:
            return -1
        last_batch, records = self._stored
        return int(last_batch.result().offset) + records - 1  # the broker names a batch's first offset

    async def abort(self) -> None:
        """Forget all of it. After a fatal error (we were fenced) the broker has done so already."""
        for pending in self._pending:
            pending.add_done_callback(lambda done: done.cancelled() or done.exception())
        if _fatal(self._producer) is None:
            async with _bounded(self._producer):
                await self._producer.abort_transaction()

    async def _append(self, target: TopicPartition, rows: Iterable[Row]) -> int:
        """Send rows in batches; returns how many records the last one has."""
        # aiokafka's `send_batch` does not register the partition with the transaction; `send` does.
        self._producer._txn_manager.maybe_add_partition_to_txn(target)
        now = int(time.time() * 1000)
        builder = self._producer.create_batch()
        for key, value, headers in rows:
            if builder.append(timestamp=now, key=key, value=value, headers=list(headers)) is None:
                await self._send(builder, target)
                builder = self._producer.create_batch()
                builder.append(timestamp=now, key=key, value=value, headers=list(headers))
        return await self._send(builder, target)

    async def _send(self, builder: Any, target: TopicPartition) -> int:
        builder.close()
        records = int(builder.record_count())
        if records:
            self._pending.append(await self._producer.send_batch(builder, target.topic, partition=target.partition))
        return records


class _bounded:  # noqa: N801  # reads as a statement
    """A time limit, and Kafka's errors in this engine's words."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._limit = asyncio.timeout(STALLED_SECONDS)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as stalled:
            raise LogStalled(f"the broker did not answer for {STALLED_SECONDS:.0f} s") from stalled
        # After a fatal error aiokafka answers whatever comes next with an assertion that fails.
        if isinstance(error, ProducerFenced) or (error and isinstance(_fatal(self._producer), ProducerFenced)):
            raise Fenced("another worker has taken over this partition") from error
        if isinstance(error, KafkaError) and error.retriable:
            raise LogBusy(str(error)) from error


def _fatal(producer: AIOKafkaProducer) -> BaseException | None:
    """What has ended the producer for good."""
    manager = producer._txn_manager
    if not manager.is_fatal_error():
        return None
    ended: asyncio.Future[None] = manager.wait_for_transaction_end()
    return ended.exception() if ended.done() else None
