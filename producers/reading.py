"""Reading what a topic holds so far: for producers, which keep nothing of their own on disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.engine.connecting import connect
from stream.engine.ports import Input
from stream.errors import Unreachable


async def read_to_end(bootstrap: str, prefix: str, topic: str, partition: int) -> AsyncGenerator[Input, None]:
    """Every committed record of one partition, from its start to where it ended when this was called.

    Raises Unreachable when the broker does not answer.
    """
    where = TopicPartition(prefix + topic, partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",  # not seek_to_beginning: that races with the reset to the default, latest
        enable_auto_commit=False,
    )
    try:
        await connect(consumer)
        consumer.assign([where])
        end = (await consumer.end_offsets([where]))[where]
        while await consumer.position(where) < end:
            for record in (await consumer.getmany(where, timeout_ms=200)).get(where, ()):
                if record.offset < end:
                    yield Input(topic, partition, record.offset, record.key, record.value, tuple(record.headers))
    except KafkaError as error:
        raise Unreachable(
            f"Kafka at {bootstrap} cannot be read: {error}. Start it, or correct kafka.bootstrap."
        ) from error
    finally:
        await consumer.stop()


async def last_value(bootstrap: str, prefix: str, topic: str, partition: int, key: bytes) -> bytes | None:
    """What a compacted topic says of `key`; None when it says nothing, or that it was removed."""
    value: bytes | None = None
    async with aclosing(read_to_end(bootstrap, prefix, topic, partition)) as records:
        async for record in records:
            if record.key == key:
                value = record.value
    return value
