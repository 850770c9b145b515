from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.contracts import topics
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.errors import BadRecord, Unreachable
from stream.sandbox.embedded.ports import LOOPBACK

PARTITIONS = 4
NO_KAFKA = f"{LOOPBACK}:1"


async def create_topics(kafka: str, *names: str, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=config) for name in names])
    finally:
        await admin.close()


async def read_all(
    kafka: str, topic: str
) -> list[tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]]:
    """Partition, key, value and headers of every record, each partition in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        where = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(where)
        ends = await consumer.end_offsets(where)
        found = []
        for tp in where:
            while await consumer.position(tp) < ends[tp]:
                for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, []):
                    found.append((tp.partition, record.key, record.value, tuple(record.headers)))
        return found
    finally:
        await consumer.stop()


@pytest.fixture
async def publisher(kafka: str, topic_prefix: str) -> AsyncIterator[KafkaPublisher]:
    await create_topics(kafka, f"{topic_prefix}facts", f"{topic_prefix}runs")
    async with KafkaPublisher(kafka, topic_prefix, client_id="test", patience_seconds=20) as publisher:
        yield publisher


@pytest.mark.parametrize(
    ("key", "java"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_keys_go_to_the_partition_that_java_clients_choose(key: bytes, java: int) -> None:
    for partitions in (1, 3, 8, 64):
        assert murmur2_partition(key, partitions) == (java & 0x7FFFFFFF) % partitions


async def test_every_record_is_there_in_order_per_key_when_publish_returns(
    publisher: KafkaPublisher, kafka: str, topic_prefix: str
) -> None:
    rng = random.Random(1)  # incompressible values, so that a partition takes several batches
    sent = [Output("facts", b"key-%d" % (n % 37), b"%06d" % n + rng.randbytes(600)) for n in range(12_000)]

    await publisher.publish(sent)

    read = await read_all(kafka, f"{topic_prefix}facts")
    assert len(read) == len(sent)
    assert all(partition == murmur2_partition(key or b"", PARTITIONS) for partition, key, _, _ in read)
    for key in {output.key for output in sent}:
        assert [value for _, k, value, _ in read if k == key] == [o.value for o in sent if o.key == key]


async def test_headers_tombstones_and_a_given_partition_are_kept(
    publisher: KafkaPublisher, kafka: str, topic_prefix: str
) -> None:
    await publisher.publish(
        [
            Output("facts", b"k", None, partition=3),
            Output("facts", b"k", b"v", headers=(("why", b"because"), ("empty", b"")), partition=3),
            Output("runs", b"k", b"other topic", partition=0),
        ]
    )

    assert await read_all(kafka, f"{topic_prefix}facts") == [
        (3, b"k", None, ()),
        (3, b"k", b"v", (("why", b"because"), ("empty", b""))),
    ]
    assert await read_all(kafka, f"{topic_prefix}runs") == [(0, b"k", b"other topic", ())]


async def test_publish_everywhere_puts_one_record_into_each_partition(
    publisher: KafkaPublisher, kafka: str, topic_prefix: str
) -> None:
    await publisher.publish_everywhere(Output("facts", b"org", b"swept"))

    assert await read_all(kafka, f"{topic_prefix}facts") == [(n, b"org", b"swept", ()) for n in range(PARTITIONS)]


async def test_a_record_that_its_topic_cannot_hold_is_refused_before_anything_is_written(
    publisher: KafkaPublisher, kafka: str, topic_prefix: str
) -> None:
    with pytest.raises(BadRecord, match=r"topic facts has 1048\d+ bytes; the topic allows 1048576"):
        await publisher.publish(
            [Output("facts", b"k", b"small"), Output("facts", b"k", b"x" * topics.FACTS.max_message_bytes)]
        )

    assert await read_all(kafka, f"{topic_prefix}facts") == []


async def test_the_largest_record_that_a_topic_allows_is_written(
    publisher: KafkaPublisher, kafka: str, topic_prefix: str
) -> None:
    largest = random.Random(2).randbytes(topics.FACTS.max_message_bytes - 100)
    await publisher.publish([Output("facts", b"k", largest, partition=1)])

    assert [value for _, _, value, _ in await read_all(kafka, f"{topic_prefix}facts")] == [largest]


async def test_a_partition_that_does_not_exist_is_refused(publisher: KafkaPublisher) -> None:
    with pytest.raises(BadRecord, match="has 4 partitions, there is no partition 4"):
        await publisher.publish([Output("facts", b"k", b"v", partition=4)])


async def test_publishing_works_again_after_the_broker_refused_a_record(kafka: str, topic_prefix: str) -> None:
    """An idempotent producer fails for ever after a refused batch, so it must have been replaced."""
    await create_topics(kafka, f"{topic_prefix}facts", **{"max.message.bytes": "5000"})
    async with KafkaPublisher(kafka, topic_prefix, client_id="test", patience_seconds=20) as publisher:
        await publisher.publish([Output("facts", b"k", b"before", partition=0)])
        with pytest.raises(BadRecord, match="topics check"):
            await publisher.publish([Output("facts", b"k", random.Random(3).randbytes(9000), partition=0)])
        await publisher.publish([Output("facts", b"k", b"after", partition=0)])

    assert [value for _, _, value, _ in await read_all(kafka, f"{topic_prefix}facts")] == [b"before", b"after"]


async def test_a_producer_that_fails_in_the_middle_is_replaced_and_nothing_is_missing(
    publisher: KafkaPublisher, kafka: str, topic_prefix: str
) -> None:
    rng = random.Random(4)
    sent = [Output("facts", b"key-%d" % (n % 8), b"%06d" % n + rng.randbytes(900)) for n in range(6_000)]
    await publisher.publish([Output("facts", b"first", b"")])
    publishing = asyncio.create_task(publisher.publish(sent))
    await asyncio.sleep(0)  # let it begin
    producer = publisher._producer
    assert producer is not None
    while not producer._message_accumulator._pending_batches and not publishing.done():
        await asyncio.sleep(0)
    await publisher._discard(producer)
    await publishing

    read = await read_all(kafka, f"{topic_prefix}facts")
    assert {value for _, _, value, _ in read} >= {output.value for output in sent}
    assert publisher._producer is not producer


async def test_a_broker_that_is_not_there_is_unreachable(topic_prefix: str) -> None:
    publisher = KafkaPublisher(NO_KAFKA, topic_prefix, client_id="test", patience_seconds=0.3)
    with pytest.raises(Unreachable, match=r"kafka\.bootstrap"):
        await publisher.start()
    with pytest.raises(Unreachable, match=re.escape(NO_KAFKA)):
        await publisher.publish([Output("facts", b"k", b"v")])
    await publisher.stop()


async def test_those_who_wait_for_a_broker_that_says_nothing_do_not_wait_one_after_the_other(topic_prefix: str) -> None:
    """Else the tenth has waited ten times as long as it was patient."""
    connections: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        publisher = KafkaPublisher(address, topic_prefix, client_id="test", patience_seconds=0.2)
        waiting = [publisher.publish([Output("facts", b"k", b"v")]) for _ in range(10)]
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        await publisher.stop()
        for writer in connections:
            writer.close()
    assert [type(end) for end in ends] == [Unreachable] * 10
    assert len(connections) == 1


async def test_a_missing_topic_is_named_as_something_to_apply(kafka: str, topic_prefix: str) -> None:
    async with KafkaPublisher(kafka, topic_prefix, client_id="test", patience_seconds=1) as publisher:
        with pytest.raises(Unreachable, match="topics apply"):
            await publisher.publish([Output("facts", b"k", b"v")])
