"""Acknowledged, keyed publishing to Kafka: the aiokafka implementation of `stream.engine.ports.Publisher`.

Records are packed into record batches by hand, one lane per partition: about a hundred times cheaper per record
than `AIOKafkaProducer.send`, and the future of a batch is the broker's acknowledgement of every record in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_exponential_jitter

from stream.contracts import topics
from stream.engine.connecting import connect
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output
from stream.errors import BadRecord, Unreachable

log = structlog.get_logger(__name__)
T = TypeVar("T")

MAX_BATCH_BYTES = 1 << 20

_FINAL = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""Repeating does not help: somebody must change something at the broker."""
_MAX_BYTES = {topic.name: topic.max_message_bytes for topic in topics.ALL}


class KafkaPublisher:
    """Writes records so that they are there when the call returns; one idempotent producer, acks from all replicas.

    `prefix` is put before every topic. `patience_seconds`: how long the broker may stay away, or a batch go
    unacknowledged, before `Unreachable` is raised. Within one producer a record is written once; when a producer
    has to be replaced after a failure, what it had not got acknowledged is written again, so readers must take
    repeats.
    """

    def __init__(self, bootstrap: str, prefix: str, *, client_id: str, patience_seconds: float = 60.0) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._client_id = client_id
        self._patience_seconds = patience_seconds
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def start(self) -> None:
        """Connect. Raises `Unreachable` when the broker does not answer within `patience_seconds`."""
        await self._patiently(self._connected)

    async def stop(self) -> None:
        """Disconnect. Bounded: a broker that does not answer is left behind."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(5):
                await producer.stop()
        except (TimeoutError, KafkaError):
            await _abandon(producer)

    async def __aenter__(self) -> KafkaPublisher:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Write all, in order per key; returns when the broker has acknowledged every one.

        Raises `BadRecord`, before anything is written, for a record larger than its topic allows or a partition
        that does not exist; `Unreachable` when the broker stays away. After `Unreachable` some records may have
        been written: publish all again.
        """
        records = list(outputs)
        for record in records:
            _refuse_too_large(record)
        lanes = await self._lanes(records)
        ends = await asyncio.gather(
            *(self._write_lane(topic, partition, lane) for (topic, partition), lane in lanes.items()),
            return_exceptions=True,
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def publish_everywhere(self, output: Output) -> None:
        """Write the record into every partition of its topic; returns when all are acknowledged."""
        partitions = await self.partitions_of(output.topic)
        await self.publish(output._replace(partition=partition) for partition in range(partitions))

    async def partitions_of(self, topic: str) -> int:
        """How many partitions `topic` has. Raises `Unreachable` when there is no such topic."""

        async def ask() -> int:
            producer = await self._connected()
            async with asyncio.timeout(self._patience_seconds):
                return len(await producer.partitions_for(self._prefix + topic))

        return await self._patiently(ask)

    async def _lanes(self, records: Sequence[Output]) -> dict[tuple[str, int], list[Output]]:
        lanes: dict[tuple[str, int], list[Output]] = {}
        counts = {topic: await self.partitions_of(topic) for topic in {record.topic for record in records}}
        for record in records:
            lanes.setdefault((record.topic, _partition(record, counts[record.topic])), []).append(record)
        return lanes

    async def _write_lane(self, topic: str, partition: int, records: Sequence[Output]) -> None:
        """One batch after the other: a later record of a key is never in the log before an earlier one."""
        written = 0

        async def write() -> int:
            return await self._write_batch(topic, partition, records, written)

        while written < len(records):
            written += await self._patiently(write)

    async def _write_batch(self, topic: str, partition: int, records: Sequence[Output], start: int) -> int:
        """Write as many records from `start` as one batch holds; returns how many, once acknowledged."""
        producer = await self._connected()
        builder, now_ms, count = producer.create_batch(), int(time.time() * 1000), 0
        for position in range(start, len(records)):
            record = records[position]
            headers = list(record.headers) if record.headers else []
            if builder.append(key=record.key, value=record.value, timestamp=now_ms, headers=headers) is None:
                break
            count += 1
        builder.close()
        try:
            async with asyncio.timeout(self._patience_seconds):
                acknowledged = await producer.send_batch(builder, self._prefix + topic, partition=partition)
                await acknowledged
        except (KafkaError, TimeoutError):
            # An idempotent aiokafka producer keeps an unacknowledged batch for ever and fails for ever after
            # a refused one (its sequence numbers have moved on): it cannot be used again.
            await self._discard(producer)
            raise
        return count

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is not None:
            return self._producer
        async with asyncio.timeout(self._patience_seconds), self._connecting:  # the wait for another's turn included
            if self._producer is None:
                self._producer = await self._new_producer()
            return self._producer

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            enable_idempotence=True,
            acks="all",
            compression_type="snappy",
            max_batch_size=MAX_BATCH_BYTES,
            linger_ms=0,  # batches are full or final when they are handed over
            request_timeout_ms=15_000,
        )
        try:
            await connect(producer)
        except BaseException:
            await _abandon(producer)
            raise
        return producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
            await _abandon(producer)

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        retrying = AsyncRetrying(
            stop=stop_after_delay(self._patience_seconds),
            wait=wait_exponential_jitter(multiplier=0.1, max=2, jitter=0.1),
            retry=retry_if_exception(_transient),
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except MessageSizeTooLargeError as error:
            raise BadRecord(
                "the broker refuses a record that its topic should allow: run `loyalty topics check`"
            ) from error
        except (KafkaError, TimeoutError) as error:
            raise Unreachable(
                f"Kafka at {self._bootstrap} does not take records ({str(error) or type(error).__name__}): start it, "
                "correct kafka.bootstrap, or run `loyalty topics apply` when a topic is missing"
            ) from error


def _transient(error: BaseException) -> bool:
    return isinstance(error, KafkaError) and not isinstance(error, _FINAL)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("kafka did not take records, trying again", attempt=state.attempt_number, error=repr(error))


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Leave a producer behind: nothing it still holds is written, and whoever waits for it is told.

    `AIOKafkaProducer.stop` would wait for its unacknowledged batches, that is: possibly for ever.
    """
    accumulator = producer._message_accumulator
    held = [batch for batches in accumulator._batches.values() for batch in batches] + [*accumulator._pending_batches]
    accumulator.fail_all(KafkaError("this producer has been replaced"))
    for future in (future for batch in held for future in (batch.future, batch._drain_waiter)):
        if future.done() and not future.cancelled():
            future.exception()  # somebody or nobody waits for it: either is fine
    producer._closed = True
    sender = producer._sender.sender_task
    if sender is not None:
        sender.remove_done_callback(producer._sender._fail_all)
        sender.add_done_callback(lambda task: task.cancelled() or task.exception())  # its errors are expected
        sender.cancel()
    await producer.client.close()


def _partition(record: Output, partitions: int) -> int:
    if record.partition is None:
        return murmur2_partition(record.key, partitions)
    if not 0 <= record.partition < partitions:
        raise BadRecord(f"topic {record.topic} has {partitions} partitions, there is no partition {record.partition}")
    return record.partition


def _refuse_too_large(record: Output) -> None:
    limit = _MAX_BYTES.get(record.topic, MAX_BATCH_BYTES)
    size = len(record.key) + len(record.value or b"")
    if size + 1024 < limit and not record.headers:  # plainly small, as nearly all are
        return
    # The broker measures a record with its batch, and a record this large has a batch of its own.
    size = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers))
    if size > limit:
        raise BadRecord(f"a record for topic {record.topic} has {size} bytes; the topic allows {limit}")
