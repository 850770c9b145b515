"""How sinks read Kafka: committed records only, many at a time, with the position after transaction markers.

A position is the offset of the next record to read. Transaction markers take offsets too, so it is not "the last
record's offset + 1": only the consumer knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.contracts.topics import Topic
from stream.engine.connecting import connect
from stream.engine.ports import Input
from stream.errors import ConfigurationError, Unreachable

FETCH_BYTES_PER_PARTITION = 4 << 20


class Place(NamedTuple):
    """A partition of a topic; the name is without prefix."""

    topic: str
    partition: int


Positions = dict[Place, int]
"""Per partition the offset of the next record to read."""


class Anchor(NamedTuple):
    """The last record taken from a partition: enough to notice that the log is another one by now."""

    offset: int
    timestamp: int


class Batch(NamedTuple):
    """What one fetch brought. `positions`: all partitions that moved, even those that only had markers."""

    records: list[Input]
    positions: Positions
    anchors: dict[Place, Anchor]


def new_consumer(bootstrap: str, *, group: str | None = None) -> AIOKafkaConsumer:
    """A consumer of committed records that never commits by itself and starts at the beginning."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES_PER_PARTITION,
        fetch_max_wait_ms=100,
        metadata_max_age_ms=60_000,
        session_timeout_ms=15_000,
        max_poll_interval_ms=600_000,
    )


async def start_consumer(consumer: AIOKafkaConsumer, bootstrap: str) -> None:
    """Connect. Raises Unreachable, with nothing left open, when no broker answers."""
    try:
        await connect(consumer)
    except (KafkaError, OSError) as error:
        await consumer.stop()
        raise _no_broker(bootstrap, error) from error


class Cluster(NamedTuple):
    """A Kafka cluster: its id, and the partitions of every topic (names with prefix)."""

    id: str
    partitions: dict[str, list[int]]

    def places(self, prefix: str, topics: Iterable[Topic]) -> list[Place]:
        """All partitions of these topics. Raises ConfigurationError when one does not exist."""
        places: list[Place] = []
        for topic in topics:
            name = prefix + topic.name
            if not self.partitions.get(name):
                raise ConfigurationError(
                    f"topic {name} does not exist: create it with `loyalty topics apply`, or correct kafka.prefix."
                )
            places += [Place(topic.name, partition) for partition in self.partitions[name]]
        return places


async def describe_cluster(bootstrap: str) -> Cluster:
    """Who answers there. Raises Unreachable when nobody does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await connect(admin)
        described = await admin.describe_cluster()
        topics = await admin.describe_topics()
    except (KafkaError, OSError) as error:
        raise _no_broker(bootstrap, error) from error
    finally:
        await admin.close()
    partitions = {topic["topic"]: sorted(p["partition"] for p in topic["partitions"]) for topic in topics}
    return Cluster(str(described["cluster_id"]), partitions)


async def end_positions(bootstrap: str, prefix: str, topics: Iterable[Topic]) -> Positions:
    """Where committed records of these topics end now: what a reader must reach to have seen everything.

    Raises Unreachable when no broker answers, ConfigurationError when a topic does not exist.
    """
    places = (await describe_cluster(bootstrap)).places(prefix, topics)
    consumer = new_consumer(bootstrap)
    await start_consumer(consumer, bootstrap)
    try:
        # Assigned, the topics' metadata comes in one request; otherwise one topic after the other, with waits.
        consumer.assign([kafka_partition(prefix, place) for place in places])
        consumer.pause(*consumer.assignment())
        return await ends_of(consumer, prefix, places)
    finally:
        await consumer.stop()


async def ends_of(consumer: AIOKafkaConsumer, prefix: str, places: Sequence[Place]) -> Positions:
    """The end of committed records per partition."""
    ends = await consumer.end_offsets([kafka_partition(prefix, place) for place in places])
    return {place_of(prefix, partition): offset for partition, offset in ends.items()}


async def starts_of(consumer: AIOKafkaConsumer, prefix: str, places: Sequence[Place]) -> Positions:
    """The offset of the first record still kept, per partition."""
    starts = await consumer.beginning_offsets([kafka_partition(prefix, place) for place in places])
    return {place_of(prefix, partition): offset for partition, offset in starts.items()}


async def next_batch(
    consumer: AIOKafkaConsumer, prefix: str, before: Mapping[Place, int], *, max_records: int, wait_ms: int
) -> Batch:
    """The next records of what is assigned, and every position that differs from `before`."""
    fetched: dict[TopicPartition, list[ConsumerRecord[bytes, bytes]]] = await consumer.getmany(
        timeout_ms=wait_ms, max_records=max_records
    )
    records: list[Input] = []
    anchors: dict[Place, Anchor] = {}
    for partition, found in fetched.items():
        place = place_of(prefix, partition)
        anchors[place] = Anchor(found[-1].offset, found[-1].timestamp)
        records += [_input(place, record) for record in found]
    positions: Positions = {}
    for partition in consumer.assignment():
        place = place_of(prefix, partition)
        position = await consumer.position(partition)
        if before.get(place) != position:
            positions[place] = position
    return Batch(records, positions, anchors)


def kafka_partition(prefix: str, place: Place) -> TopicPartition:
    """The place as Kafka's clients name it."""
    return TopicPartition(prefix + place.topic, place.partition)


def place_of(prefix: str, partition: TopicPartition) -> Place:
    """Kafka's name of a partition without the prefix."""
    return Place(partition.topic[len(prefix) :], partition.partition)


def _input(place: Place, record: ConsumerRecord[bytes, bytes]) -> Input:
    headers = tuple(record.headers)
    return Input(place.topic, place.partition, record.offset, record.key, record.value, headers)


def _no_broker(bootstrap: str, error: Exception) -> Unreachable:
    said = error or type(error).__name__
    return Unreachable(f"Kafka does not answer at {bootstrap}: {said}. Start it, or correct kafka.bootstrap.")
