"""The `deliveries` topic as the notifier's memory: all that it knows of earlier messages, and nothing on disk.

One transactional producer, under one id for the installation: opening it fences whoever was on duty before, so that
a process that was paused, or cut off, can write nothing any more, and therefore sends nothing new. Messages and the
offsets that they rest on are written in one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from stream.contracts import topics
from stream.contracts.deliveries import DELIVERIES, delivery_key
from stream.engine.connecting import connect
from stream.engine.partitioning import murmur2_partition
from stream.errors import Fenced, Unreachable
from stream.sinks import reading
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.delivery_reader import DeliveryReader, Entry
from stream.sinks.reading import Positions

log = structlog.get_logger(__name__)

SOURCE = "notify"
REQUEST_SOURCE = "resend"
PATIENCE_SECONDS = 60.0
STOP_SECONDS = 5.0


class Ledger:
    """`group`: the consumer group (with prefix) whose offsets are committed with messages."""

    def __init__(self, bootstrap: str, prefix: str, group: str, clock: Clock) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._group = group
        self._clock = clock
        self._turn = asyncio.Lock()
        self._partitions = 0
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            transactional_id=f"{prefix}notify",
            client_id="notify",
            compression_type="snappy",
            transaction_timeout_ms=60_000,
        )
        self._reader = DeliveryReader(bootstrap, prefix)

    async def open(self) -> list[Entry]:
        """Fence the predecessor, then read every message's last record. Raises Unreachable, Fenced."""
        await self._guarded(connect(self._producer))
        self._partitions = len(await self._producer.partitions_for(self._prefix + topics.DELIVERIES.name))
        return await self._reader.all()

    async def write(self, entries: Iterable[Entry], offsets: Positions | None = None) -> None:
        """All of them and the offsets, or nothing; acknowledged. Raises Fenced when another has taken over,
        Unreachable when the broker stays away: in both cases this process must not go on."""
        async with self._turn:
            await self._guarded(self._transaction(list(entries), offsets or {}))

    async def requests(self) -> AsyncIterator[Entry]:
        """For ever: messages that somebody asks to be sent once more."""
        while True:
            for event in await self._reader.next():
                if event.source == REQUEST_SOURCE:
                    yield Entry(event.org, event.data)

    async def close(self) -> None:
        """Disconnect. Bounded: a broker that does not answer is left behind."""
        for stop in (self._producer.stop, self._reader.close):
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await stop()
            except (TimeoutError, KafkaError) as error:
                log.info("notify: a connection to Kafka is left behind", error=repr(error))

    async def _transaction(self, entries: list[Entry], offsets: Positions) -> None:
        async with self._producer.transaction():
            sent = [await self._send(entry) for entry in entries]
            for outcome in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
            if offsets:
                named = {reading.kafka_partition(self._prefix, place): offset for place, offset in offsets.items()}
                await self._producer.send_offsets_to_transaction(named, self._group)

    async def _send(self, entry: Entry) -> asyncio.Future[object]:
        org, delivery = entry
        key = delivery_key(org, delivery.message, delivery.channel)
        future: asyncio.Future[object] = await self._producer.send(
            self._prefix + topics.DELIVERIES.name,
            DELIVERIES.encode(delivery, org=org, at=self._clock.millis(), source=SOURCE),
            key,
            partition=murmur2_partition(key, self._partitions),
        )
        return future

    async def _guarded(self, work: object) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await work  # type: ignore[misc]  # a coroutine of aiokafka, which has no types
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced("another notifier has taken over; this one must not send anything any more") from error
        except (KafkaError, TimeoutError) as error:
            raise Unreachable(
                f"Kafka at {self._bootstrap} does not take records ({error!r}): start it, or correct kafka.bootstrap"
            ) from error
