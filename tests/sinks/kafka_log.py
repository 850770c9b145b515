"""A small log of a test's own: topics, and records published as agents do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from stream.engine.ports import Input
from stream.engine.topics_admin import apply_topics
from stream.sinks.reading import Positions, end_positions
from stream.sinks.views.follower import TOPICS

PARTITIONS = 2


class KafkaLog:
    """Publishes in transactions, so that every batch leaves a marker in the log."""

    def __init__(self, bootstrap: str, prefix: str, producer: AIOKafkaProducer) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self._producer = producer

    async def publish(self, records: Iterable[Input], *, abort: bool = False) -> None:
        await self._producer.begin_transaction()
        for record in records:
            await self._producer.send(
                self.prefix + record.topic, record.value, record.key, headers=list(record.headers)
            )
        await self._producer.flush()
        if abort:
            await self._producer.abort_transaction()
        else:
            await self._producer.commit_transaction()

    async def ends(self) -> Positions:
        return await end_positions(self.bootstrap, self.prefix, TOPICS)


@asynccontextmanager
async def kafka_log(bootstrap: str, prefix: str) -> AsyncIterator[KafkaLog]:
    await apply_topics(bootstrap, prefix, PARTITIONS, 1)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{prefix}test")
    await producer.start()
    try:
        yield KafkaLog(bootstrap, prefix, producer)
    finally:
        await producer.stop()
