"""Cursors: how far a producer has got with one source of an org, in the compacted topic `cursors`."""

from __future__ import annotations

from typing import Protocol

from producers.reading import last_value
from stream.contracts import topics
from stream.contracts.cursors import CURSORS, Cursor
from stream.contracts.names import OrgId
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output, Publisher
from stream.errors import BadRecord


class Cursors(Protocol):
    """Where a source was read to. Whoever owns an org is the only one that saves its cursors."""

    async def load(self, org: OrgId, source: str) -> Cursor | None:
        """The cursor as it was last saved, by whichever process; None: this source was never read."""

    async def save(self, org: OrgId, source: str, cursor: Cursor) -> None:
        """Keep the cursor; returns when it is safe. To be called when all before it has been acknowledged."""


class PartitionCounts(Publisher, Protocol):
    """A publisher that knows how many partitions a topic has."""

    async def partitions_of(self, topic: str) -> int:
        """Number of partitions."""


class KafkaCursors:
    """Cursors in Kafka. `load` reads the topic each time: another producer may have gone on in the meantime."""

    def __init__(self, publisher: PartitionCounts, bootstrap: str, prefix: str) -> None:
        self._publisher = publisher
        self._bootstrap = bootstrap
        self._prefix = prefix

    async def load(self, org: OrgId, source: str) -> Cursor | None:
        """Raises Unreachable when the broker does not answer, BadRecord when the record is not a cursor."""
        key = cursor_key(org, source)
        partition = murmur2_partition(key, await self._publisher.partitions_of(topics.CURSORS.name))
        value = await last_value(self._bootstrap, self._prefix, topics.CURSORS.name, partition, key)
        if value is None:
            return None
        body = CURSORS.decode(value).data
        if not isinstance(body, Cursor):
            raise BadRecord(f"the record of {key.decode()} in topic {topics.CURSORS.name} is not a cursor")
        return body

    async def save(self, org: OrgId, source: str, cursor: Cursor) -> None:
        """Raises Unreachable when the broker does not acknowledge."""
        value = CURSORS.encode(cursor, org=org, at=cursor.through, source=source)
        await self._publisher.publish([Output(topics.CURSORS.name, cursor_key(org, source), value)])


class MemoryCursors:
    """Cursors for as long as the object lives: for simulations and tests."""

    def __init__(self) -> None:
        self._saved: dict[bytes, Cursor] = {}

    async def load(self, org: OrgId, source: str) -> Cursor | None:
        return self._saved.get(cursor_key(org, source))

    async def save(self, org: OrgId, source: str, cursor: Cursor) -> None:
        self._saved[cursor_key(org, source)] = cursor


def cursor_key(org: OrgId, source: str) -> bytes:
    """The key of a cursor: `org:source`."""
    return f"{org}:{source}".encode()
