"""A broker in memory: topics of partitions, transactions with markers, fencing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Headers, Input, Output
from stream.errors import Fenced

Step = Callable[[str], None]
"""Called before `send`, `store`, `commit`, and after `committed`; may raise, as a death there would."""


def nothing(step: str) -> None:
    return None


class MemoryBroker:
    """Topics with `partitions` partitions each. A None in a log is a marker or an aborted record."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._logs: dict[tuple[str, int], list[Input | None]] = defaultdict(list)
        self._starts: dict[tuple[str, int], int] = defaultdict(int)
        self._owners: dict[str, int] = defaultdict(int)

    def append(self, topic: str, partition: int, key: bytes, value: bytes | None, headers: Headers = ()) -> int:
        """Add a record; returns its offset."""
        log = self._logs[topic, partition]
        log.append(Input(topic, partition, len(log), key, value, headers))
        return len(log) - 1

    def place(self, output: Output) -> int:
        """The partition of an output."""
        return murmur2_partition(output.key, self.partitions) if output.partition is None else output.partition

    def gap(self, topic: str, partition: int) -> None:
        """Take an offset that is never read."""
        self._logs[topic, partition].append(None)

    def read(self, topic: str, partition: int, offset: int = 0, limit: int | None = None) -> list[Input]:
        """Records from `offset` on."""
        found = [record for record in self._logs[topic, partition][offset:] if record is not None]
        return found[:limit]

    def all(self, topic: str) -> list[Input]:
        """Every record of a topic, partition by partition."""
        return [record for partition in range(self.partitions) for record in self.read(topic, partition)]

    def start(self, topic: str, partition: int) -> int:
        """The first offset that is still there."""
        return self._starts[topic, partition]

    def expire(self, topic: str, partition: int, before: int) -> None:
        """Delete what is older, as retention does."""
        log = self._logs[topic, partition]
        log[:before] = [None] * len(log[:before])
        self._starts[topic, partition] = before

    def end(self, topic: str, partition: int) -> int:
        """The next offset."""
        return len(self._logs[topic, partition])

    def truncate(self, topic: str, partition: int, end: int) -> None:
        """Lose the tail, as a power cut does."""
        del self._logs[topic, partition][end:]

    def take_over(self, owner: str) -> int:
        """Become the owner of a transactional id; the one before is fenced."""
        self._owners[owner] += 1
        return self._owners[owner]

    def check(self, owner: str, term: int) -> None:
        """Raises `Fenced` unless `term` is the owner's latest."""
        if self._owners[owner] != term:
            raise Fenced(f"{owner}: another worker has taken over this partition")


class MemoryLog:
    """`Log` over a `MemoryBroker`. Opening it fences the previous owner."""

    def __init__(self, broker: MemoryBroker, agent: str, changelog: str, partition: int, step: Step = nothing) -> None:
        self.broker = broker
        self.changelog = changelog
        self.partition = partition
        self.step = step
        self.owner = f"{agent}-{partition}"
        self.term = broker.take_over(self.owner)

    async def begin(self) -> MemoryTransaction:
        """Open a transaction."""
        self.broker.check(self.owner, self.term)
        return MemoryTransaction(self)


class MemoryTransaction:
    """`Transaction` over a `MemoryBroker`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._outputs: list[Output] = []
        self._changes: dict[bytes, bytes | None] = {}

    async def send(self, outputs: Sequence[Output]) -> None:
        """Add records for other topics."""
        self._log.step("send")
        self._outputs += outputs

    async def store(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Add changed keys to the changelog."""
        self._log.step("store")
        self._changes.update(changes)

    async def commit(self) -> int:
        """Make all of it visible, followed by a marker in each partition written to."""
        log, broker = self._log, self._log.broker
        log.step("commit")
        broker.check(log.owner, log.term)
        touched = set()
        for output in self._outputs:
            partition = broker.place(output)
            broker.append(output.topic, partition, output.key, output.value, output.headers)
            touched.add((output.topic, partition))
        offset = -1
        for key, value in self._changes.items():
            offset = broker.append(log.changelog, log.partition, key, value)
            touched.add((log.changelog, log.partition))
        for topic, partition in touched:
            broker.gap(topic, partition)
        log.step("committed")
        return offset

    async def abort(self) -> None:
        """Forget all of it; what was sent has taken offsets."""
        for output in self._outputs:
            self._log.broker.gap(output.topic, self._log.broker.place(output))
        self._outputs, self._changes = [], {}


class MemoryStore:
    """`Store` in a dictionary, with the changelog offset it includes."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.changelog_offset = -1

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self.data.get(key)

    def scan(self, prefix: bytes, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys with that prefix in byte order, only those beyond `after` when given."""
        keys = sorted(k for k in self.data if k.startswith(prefix) and (after is None or k > after))
        return ((key, self.data[key]) for key in keys)

    def write(self, changes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Apply changes and the changelog offset."""
        for key, value in changes.items():
            if value is None:
                self.data.pop(key, None)
            else:
                self.data[key] = value
        self.changelog_offset = changelog_offset


class MemoryPublisher:
    """`Publisher` over a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Write all."""
        for output in outputs:
            partition = self.broker.place(output)
            self.broker.append(output.topic, partition, output.key, output.value, output.headers)

    async def publish_everywhere(self, output: Output) -> None:
        """Write the record into every partition."""
        for partition in range(self.broker.partitions):
            self.broker.append(output.topic, partition, output.key, output.value, output.headers)
