"""The topics of a notifier in a test's Kafka, and a notifier at work on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.contracts import topics
from stream.contracts.deliveries import Delivery, MessageKind
from stream.settings import Configuration
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.delivery_reader import DeliveryReader
from stream.sinks.notify.notifier import Notifier
from tests.sinks.kafka_log import PARTITIONS, KafkaLog
from tests.sinks.notify.house import audiences

PATIENCE_SECONDS = 30
NEEDED = (topics.ALERTS, topics.RUNS, topics.DELIVERIES)


@asynccontextmanager
async def notify_log(bootstrap: str, prefix: str) -> AsyncIterator[KafkaLog]:
    """Only the topics that a notifier needs: making all takes longer than most tests here."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + topic.name, PARTITIONS, 1) for topic in NEEDED])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{prefix}test")
    await producer.start()
    try:
        yield KafkaLog(bootstrap, prefix, producer)
    finally:
        await producer.stop()


class AtWork:
    """A notifier's task. An error of its own surfaces when it is waited for."""

    def __init__(self, log: KafkaLog, configuration: Configuration, *, name: str = "1", clock: Clock | None = None):
        self.notifier = Notifier(
            log.bootstrap, log.prefix, audiences(configuration), clean=lambda text: text, name=name, clock=clock
        )
        self.task = asyncio.create_task(self.notifier.run())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.01)

    async def idle(self) -> None:
        """Return when everything in the log has been read and every message is delivered."""
        await self.until(lambda: self.notifier.ready and not any(self.notifier.waiting().values()))

    async def stop(self) -> None:
        if self.task.done():  # `until` has raised why
            return
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@asynccontextmanager
async def at_work(
    log: KafkaLog, configuration: Configuration, *, name: str = "1", clock: Clock | None = None
) -> AsyncIterator[AtWork]:
    running = AtWork(log, configuration, name=name, clock=clock)
    try:
        await running.until(lambda: running.notifier.ready)
        yield running
    finally:
        await running.stop()


async def deliveries(log: KafkaLog) -> list[Delivery]:
    """How every message stands, by channel; heartbeats left out."""
    reader = DeliveryReader(log.bootstrap, log.prefix)
    try:
        found = [entry.delivery for entry in await reader.all()]
    finally:
        await reader.close()
    return sorted(
        (each for each in found if each.kind is not MessageKind.HEARTBEAT),
        key=lambda each: (each.channel, each.made_at),
    )
