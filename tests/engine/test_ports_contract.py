"""One contract, two worlds: the log and the store in memory, and over Kafka and RocksDB."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from rocksdict import Options, Rdict

from stream.contracts.topics import ACCOUNTS_CHANGELOG, DEAD_LETTERS, ENTRIES, PROFILES, Topic
from stream.engine.faust.log import KafkaLog
from stream.engine.faust.store import OFFSET_KEY, RocksStore
from stream.engine.memory.log import MemoryBroker, MemoryLog, MemoryStore
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Headers, Log, Output, Store
from stream.engine.state import State
from stream.engine.topics_admin import apply_topics
from stream.engine.turn import Place, Turn
from stream.errors import BadRecord, Fenced

PARTITIONS = 2
HERE = 1
Seen = tuple[int, int, bytes | None, bytes | None, Headers]
"""Partition, offset, key, value, headers."""


class World(ABC):
    """Somewhere to write to, and what a `read_committed` reader sees of it."""

    @abstractmethod
    async def log(self) -> Log:
        """Open the log of partition `HERE`, as a new owner does."""

    @abstractmethod
    async def visible(self, topic: Topic) -> list[Seen]:
        """Every visible record."""

    async def read(self, topic: Topic, *, at_least: int = 1) -> list[Seen]:
        """Every visible record, once there are some: Kafka answers a commit before every partition shows it."""
        async with asyncio.timeout(20):
            while len(seen := await self.visible(topic)) < at_least:
                pass
            return seen


class InMemory(World):
    def __init__(self) -> None:
        self.broker = MemoryBroker(PARTITIONS)

    async def log(self) -> Log:
        return MemoryLog(self.broker, "accounts", ACCOUNTS_CHANGELOG.name, HERE)

    async def visible(self, topic: Topic) -> list[Seen]:
        return [(r.partition, r.offset, r.key, r.value, r.headers) for r in self.broker.all(topic.name)]


class InKafka(World):
    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.opened: list[KafkaLog] = []

    async def log(self) -> Log:
        changelog = self.prefix + ACCOUNTS_CHANGELOG.name
        log = KafkaLog(self.bootstrap, self.prefix, "accounts", changelog, HERE, PARTITIONS)
        self.opened.append(log)
        await log.open()
        return log

    async def visible(self, topic: Topic) -> list[Seen]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            return [seen async for seen in _every(consumer, self.prefix + topic.name)]
        finally:
            await consumer.stop()


async def _every(consumer: AIOKafkaConsumer, topic: str) -> AsyncIterator[Seen]:
    everywhere = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer.assign(everywhere)
    ends = await consumer.end_offsets(everywhere)
    for tp in everywhere:
        while await consumer.position(tp) < ends[tp]:
            for r in (await consumer.getmany(tp, timeout_ms=200)).get(tp, []):
                yield r.partition, r.offset, r.key, r.value, tuple(r.headers)


@pytest.fixture(params=["memory", "kafka"])
def bootstrap(request: pytest.FixtureRequest) -> str | None:
    """Where Kafka is; None for the world in memory."""
    return None if request.param == "memory" else str(request.getfixturevalue("kafka"))


@pytest.fixture
async def world(bootstrap: str | None, topic_prefix: str) -> AsyncIterator[World]:
    if bootstrap is None:
        yield InMemory()
        return
    await apply_topics(bootstrap, topic_prefix, PARTITIONS, 1)
    world = InKafka(bootstrap, topic_prefix)
    yield world
    for log in world.opened:
        await log.close()


async def write(log: Log, outputs: Iterable[Output], changes: dict[bytes, bytes | None]) -> int:
    transaction = await log.begin()
    await transaction.send(list(outputs))
    await transaction.store(changes)
    return await transaction.commit()


async def test_outputs_and_changes_become_visible_together_at_the_commit(world: World) -> None:
    transaction = await (await world.log()).begin()
    await transaction.send([Output(ENTRIES.name, b"k", b"entry")])
    await transaction.store({b"a": b"1"})
    assert await world.visible(ENTRIES) == []
    assert await world.visible(ACCOUNTS_CHANGELOG) == []

    await transaction.commit()

    assert [value for _, _, _, value, _ in await world.read(ENTRIES)] == [b"entry"]
    assert [(p, k, v) for p, _, k, v, _ in await world.read(ACCOUNTS_CHANGELOG)] == [(HERE, b"a", b"1")]


async def test_an_aborted_transaction_leaves_nothing_and_the_log_goes_on(world: World) -> None:
    log = await world.log()
    transaction = await log.begin()
    await transaction.send([Output(ENTRIES.name, b"k", b"never")])
    await transaction.store({b"a": b"never"})
    await transaction.abort()
    await write(log, [Output(ENTRIES.name, b"k", b"then")], {b"a": b"2"})

    assert [value for _, _, _, value, _ in await world.read(ENTRIES)] == [b"then"]
    assert [value for _, _, _, value, _ in await world.read(ACCOUNTS_CHANGELOG)] == [b"2"]


async def test_a_second_opening_fences_the_first_whose_open_transaction_leaves_nothing(world: World) -> None:
    first = await world.log()
    await write(first, [Output(ENTRIES.name, b"k", b"before")], {b"a": b"0"})
    open_transaction = await first.begin()
    await open_transaction.send([Output(ENTRIES.name, b"k", b"zombie")])
    await open_transaction.store({b"a": b"zombie"})

    second = await world.log()
    await write(second, [Output(ENTRIES.name, b"k", b"after")], {b"a": b"1"})

    with pytest.raises(Fenced):
        await open_transaction.commit()
    with pytest.raises(Fenced):
        await write(first, [Output(ENTRIES.name, b"k", b"zombie")], {b"a": b"zombie"})
    assert [value for _, _, _, value, _ in await world.read(ENTRIES, at_least=2)] == [b"before", b"after"]
    assert [value for _, _, _, value, _ in await world.read(ACCOUNTS_CHANGELOG, at_least=2)] == [b"0", b"1"]


async def test_aborting_after_having_been_fenced_is_harmless(world: World) -> None:
    first = await world.log()
    transaction = await first.begin()
    await transaction.send([Output(ENTRIES.name, b"k", b"zombie")])
    await world.log()
    with pytest.raises(Fenced):
        await transaction.commit()
    await transaction.abort()


async def test_the_commit_returns_the_offset_of_the_last_change(world: World) -> None:
    log = await world.log()
    offsets = [await write(log, [], {b"a": b"%d" % n, b"b": None}) for n in range(3)]

    seen = [offset for _, offset, key, _, _ in await world.read(ACCOUNTS_CHANGELOG, at_least=6) if key == b"b"]
    assert offsets == seen
    assert seen[1] - seen[0] > 2, "a commit marker takes an offset of its own"


async def test_a_deleted_key_is_a_tombstone_in_the_changelog(world: World) -> None:
    await write(await world.log(), [], {b"gone": None})
    assert [(k, v) for _, _, k, v, _ in await world.read(ACCOUNTS_CHANGELOG)] == [(b"gone", None)]


async def test_a_large_transaction_keeps_every_record_in_order(world: World) -> None:
    """Several batches per partition, several topics; incompressible, so that it really takes several."""
    rng = random.Random(1)
    outputs = [Output(ENTRIES.name, b"k%d" % (n % 50), b"%06d" % n + rng.randbytes(700)) for n in range(6000)]
    changes: dict[bytes, bytes | None] = {b"key-%05d" % n: rng.randbytes(400) for n in range(6000)}

    offset = await write(await world.log(), outputs, changes)

    entries = await world.read(ENTRIES, at_least=len(outputs))
    for partition in range(PARTITIONS):
        sent = [(o.key, o.value) for o in outputs if murmur2_partition(o.key, PARTITIONS) == partition]
        assert [(k, v) for p, _, k, v, _ in entries if p == partition] == sent
    stored = await world.read(ACCOUNTS_CHANGELOG, at_least=len(changes))
    assert {k: v for _, _, k, v, _ in stored} == changes
    assert max(o for _, o, _, _, _ in stored) == offset


async def test_headers_and_a_given_partition_are_kept(world: World) -> None:
    headers = (("ce_id", b"1"), ("empty", b""), ("ce_id", b"again"))
    outputs = [Output(DEAD_LETTERS.name, b"k", b"v", headers, partition) for partition in (0, 1)]
    await write(await world.log(), outputs, {b"a": b"1"})

    assert [(p, k, v, h) for p, _, k, v, h in await world.read(DEAD_LETTERS, at_least=2)] == [
        (0, b"k", b"v", headers),
        (1, b"k", b"v", headers),
    ]


async def test_a_record_larger_than_its_topic_is_refused_before_anything_is_sent(world: World) -> None:
    turn = Turn(State(MemoryStore()), Place("accounts", "facts", HERE, PARTITIONS, 0))
    turn.emit(ENTRIES, b"k", b"small")
    with pytest.raises(BadRecord, match="profiles"):
        turn.emit(PROFILES, b"k", b"x" * PROFILES.max_message_bytes)
    turn.keep()
    await write(await world.log(), turn.take_outputs(), {b"a": b"1"})

    assert [value for _, _, _, value, _ in await world.read(ENTRIES)] == [b"small"]


async def test_the_largest_record_that_a_turn_allows_is_written(world: World) -> None:
    turn = Turn(State(MemoryStore()), Place("accounts", "facts", HERE, PARTITIONS, 0))
    largest = random.Random(2).randbytes(PROFILES.max_message_bytes - 513)
    turn.emit(PROFILES, b"k", largest)
    turn.keep()
    await write(await world.log(), turn.take_outputs(), {b"a": b"1"})

    assert [value for _, _, _, value, _ in await world.read(PROFILES)] == [largest]


Opened = Callable[[], Store]


@pytest.fixture(params=["memory", "rocksdb"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """A store; where it has a disk, opened again at each call."""
    if request.param == "memory":
        store = MemoryStore()
        return lambda: store
    return lambda: RocksStore(Rdict(str(tmp_path / "db"), Options(raw_mode=True)))


def test_a_store_keeps_what_was_written_and_forgets_what_was_deleted(opened: Opened) -> None:
    store = opened()
    store.write({b"a": b"1", b"b": b"2", b"empty": b""}, 5)
    store.write({b"a": b"3", b"b": None, b"never": None}, 9)

    assert [store.get(key) for key in (b"a", b"b", b"empty", b"never")] == [b"3", None, b"", None]


@pytest.mark.parametrize(
    ("prefix", "after", "found"),
    [
        (b"o|1|", None, [b"o|1|", b"o|1|a", b"o|1|b", b"o|1|\xff"]),
        (b"o|1|", b"o|1|a", [b"o|1|b", b"o|1|\xff"]),
        (b"o|1|", b"o|1|aa", [b"o|1|b", b"o|1|\xff"]),
        (b"o|1|", b"o|1|\xff", []),
        (b"o|", None, [b"o|10|a", b"o|1|", b"o|1|a", b"o|1|b", b"o|1|\xff"]),
        (b"x", None, []),
    ],
)
def test_a_scan_gives_the_keys_of_a_prefix_in_byte_order(
    opened: Opened, prefix: bytes, after: bytes | None, found: list[bytes]
) -> None:
    store = opened()
    keys = [b"o|1|b", b"o|10|a", b"a|9", b"o|1|\xff", b"o|1|a", b"o|1|", b"p"]
    store.write({key: b"=" + key for key in keys}, 7)

    assert list(store.scan(prefix, after)) == [(key, b"=" + key) for key in found]


def test_the_changelog_offset_is_on_disk_with_the_data_that_it_belongs_to(tmp_path: Path) -> None:
    store = RocksStore(Rdict(str(tmp_path / "db"), Options(raw_mode=True)))
    store.write({b"a": b"1"}, 41)
    store.write({b"a": b"2"}, 57)
    store.close()

    again = Rdict(str(tmp_path / "db"), Options(raw_mode=True))
    assert (again.get(b"a"), again.get(OFFSET_KEY)) == (b"2", b"57")


def test_a_closed_store_is_let_go_of_and_says_so(tmp_path: Path) -> None:
    store = RocksStore(Rdict(str(tmp_path / "db"), Options(raw_mode=True)))
    store.close()
    Rdict(str(tmp_path / "db"), Options(raw_mode=True)).close()  # would fail on the lock
    with pytest.raises(RuntimeError, match="closed"):
        store.get(b"a")
