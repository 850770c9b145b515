"""Where the log ends, uncommitted records included.

A run's last alerts and its end may lie in one transaction's wake: the end can be visible a moment before the alerts
are. Their records are there all the same, so the end of *all* records is how far `alerts` must be read.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer

from stream.contracts.topics import Topic
from stream.sinks import reading
from stream.sinks.reading import Place, Positions


class LogEnds:
    """A connection that only asks for offsets."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._places: list[Place] = []
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, isolation_level="read_uncommitted", enable_auto_commit=False
        )

    async def open(self, topics: Iterable[Topic]) -> None:
        """Connect. Raises Unreachable."""
        await reading.start_consumer(self._consumer, self._bootstrap)
        self._places = (await reading.describe_cluster(self._bootstrap)).places(self._prefix, topics)
        self._consumer.assign([reading.kafka_partition(self._prefix, place) for place in self._places])
        self._consumer.pause(*self._consumer.assignment())

    async def all(self) -> Positions:
        """The end of every partition. Raises KafkaError."""
        return await reading.ends_of(self._consumer, self._prefix, self._places)

    async def since(self, at: int) -> Positions:
        """The first record written at or after `at` (UTC ms), else the end, per partition. Raises KafkaError."""
        ends = await self.all()
        asked = {reading.kafka_partition(self._prefix, place): at for place in self._places}
        found = await self._consumer.offsets_for_times(asked)
        known = {reading.place_of(self._prefix, partition): each.offset for partition, each in found.items() if each}
        return ends | known

    async def starts(self) -> Positions:
        """The first record still kept, per partition. Raises KafkaError."""
        return await reading.starts_of(self._consumer, self._prefix, self._places)

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()
