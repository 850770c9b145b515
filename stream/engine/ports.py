"""What the engine asks of the world: a log to write to and a store to keep state in.

`stream.engine.faust` implements these over Kafka and RocksDB, `stream.engine.memory` in memory with virtual
time; one contract suite runs over both. Producers and sinks use `Publisher` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]


class Output(NamedTuple):
    """A record to be written. `topic` is without prefix; `value` None deletes under compaction.

    `partition` None: by murmur2 of the key, as every Kafka client of the org must do.
    """

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Input(NamedTuple):
    """A record that was read. `value` None is a tombstone. `topic` is without prefix. `timestamp`: when it was written
    (UTC ms), for records that cannot say themselves when they were true."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: int = 0


class Publisher(Protocol):
    """Writes records so that they are there when the call returns. Used by producers, API and CLI."""

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Write all, in order per key; returns when the broker has acknowledged every one.

        Retries by itself; raises `Unreachable` when the broker stays away, `BadRecord` (before anything is
        written) when a record is larger than its topic allows.
        """

    async def publish_everywhere(self, output: Output) -> None:
        """Write the record into every partition of its topic, repeating all until all are acknowledged."""


class Transaction(Protocol):
    """Outputs and state changes that become visible together, or not at all."""

    async def send(self, outputs: Sequence[Output]) -> None:
        """Add records for other topics."""

    async def store(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Add changed keys to the changelog (None deletes)."""

    async def commit(self) -> int:
        """Make all of it visible. Returns the changelog offset of the last change.

        Raises a retryable error only when nothing of it will ever be visible: the caller then repeats all of it.
        """

    async def abort(self) -> None:
        """Forget all of it. Never raises for a transaction that is not open."""


class Log(Protocol):
    """One owned partition of an agent's input log and its changelog."""

    async def begin(self) -> Transaction:
        """Open a transaction. Raises `Fenced` when another owner has taken over."""


class Store(Protocol):
    """The state of one partition, as of its changelog."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""

    def scan(self, prefix: bytes, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys with that prefix in byte order, only those beyond `after` when given."""

    def write(self, changes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Apply changes and the changelog offset in one batch."""
