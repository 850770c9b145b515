"""The services everything else stands on: a real Kafka, the real Firestore emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from google.cloud.firestore import AsyncClient


@asynccontextmanager
async def topic(kafka: str, name: str) -> AsyncIterator[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
        yield TopicPartition(name, 0)
    finally:
        await admin.delete_topics([name])
        await admin.close()


async def read(kafka: str, partition: TopicPartition, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed") as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(count)]


async def test_kafka_shows_a_read_committed_reader_committed_transactions_only(kafka: str, topic_prefix: str) -> None:
    async with topic(kafka, f"{topic_prefix}smoke") as partition:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{topic_prefix}producer")
        async with producer:
            async with producer.transaction():
                await producer.send_and_wait(partition.topic, b"committed 1")
            await producer.begin_transaction()
            await producer.send_and_wait(partition.topic, b"aborted")
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(partition.topic, b"committed 2")

        assert await read(kafka, partition, 2) == [b"committed 1", b"committed 2"]


async def test_firestore_returns_what_was_written(firestore_project: str) -> None:
    client = AsyncClient(project=firestore_project)
    document = client.collection("customers").document("brand_1")

    await document.set({"points": 40, "tier": "Bronze"})

    assert (await document.get()).to_dict() == {"points": 40, "tier": "Bronze"}
    client.close()  # type: ignore[no-untyped-call]


async def test_firestore_keeps_projects_apart(firestore_project: str) -> None:
    client = AsyncClient(project=firestore_project)

    assert [found async for found in client.collection("customers").stream()] == []
    client.close()  # type: ignore[no-untyped-call]
