"""An agent for tests of the engine: it adds up numbers per key, so that whatever is applied twice or not at all shows.

Nothing in it is idempotent: the engine alone must see to it that each record counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from stream.contracts import topics
from stream.contracts.envelope import Event, Vocabulary
from stream.contracts.topics import Topic
from stream.engine.agent import Wide
from stream.engine.memory.log import MemoryBroker, MemoryStore
from stream.engine.memory.worker import MemoryWorker
from stream.engine.turn import Turn
from stream.errors import BadRecord

ORG = "org"
PREFIX = f"a|{ORG}:".encode()
CHANGELOG = topics.ACCOUNTS_CHANGELOG
OUTPUTS = (topics.ENTRIES, topics.ALERTS, topics.DEAD_LETTERS)


class Added(msgspec.Struct, frozen=True):
    """Add `amount` to the customer's total."""

    amount: int


class Spoiled(msgspec.Struct, frozen=True):
    """Fails, after it has staged a write and outputs. `own`: by its own fault, else as a bug would."""

    own: bool = True


class Asked(msgspec.Struct, frozen=True):
    """Calls whatever the test wants; see `Counting.when_asked`."""


class Multiplied(msgspec.Struct, frozen=True):
    """*Everywhere.* Pass 0 adds up all totals, pass 1 multiplies each by `factor` and says both."""

    factor: int


class Marked(msgspec.Struct, frozen=True):
    """*Everywhere.* Only counts, walks over nothing."""


class Refused(msgspec.Struct, frozen=True):
    """*Everywhere.* Cannot be begun, ever."""


class Total(msgspec.Struct, frozen=True, array_like=True):
    """State of a customer."""

    value: int = 0
    records: int = 0


VOCABULARY = Vocabulary(Added, Spoiled, Asked, Multiplied, Marked, Refused)


class Counting:
    """See `stream.engine.agent.Agent`."""

    name = "counting"
    source = topics.FACTS
    vocabulary = VOCABULARY
    heals = False
    renewed: Sequence[bytes] = (b"a|",)

    def __init__(self) -> None:
        self.when_asked: Callable[[], None] = lambda: None

    def apply(self, event: Event[Any], turn: Turn) -> None:
        key = PREFIX + event.customer.encode()
        known = turn.state.get(key, Total) or Total()
        data = event.data
        if isinstance(data, Asked):
            self.when_asked()
            return
        amount = data.amount if isinstance(data, Added) else 1_000_000
        total = Total(known.value + amount, known.records + 1)
        turn.state.put(key, total)
        say(turn, event.customer, "added", total)
        if isinstance(data, Spoiled):
            turn.state.delete(PREFIX + b"somebody-else")
            raise BadRecord("spoiled") if data.own else KeyError("a bug")

    def wide(self, event: Event[Any], turn: Turn) -> Wide | None:
        if isinstance(event.data, Refused):
            turn.state.put(b"x", Total(9))
            raise BadRecord("refused")
        if isinstance(event.data, Marked):
            key = PREFIX + b"marks"
            total = Total((turn.state.get(key, Total) or Total()).value + 1)
            turn.state.put(key, total)
            say(turn, "marks", "marked", total)
            return None
        return Multiplication(event.data.factor)

    def renew(self, turn: Turn, key: bytes, at: int) -> None:
        customer = key[len(PREFIX) :].decode()
        say_latest(turn, customer, turn.state.get(key, Total) or Total())


class Multiplication:
    """See `stream.engine.agent.Wide`."""

    prefixes: Sequence[bytes] = (PREFIX, PREFIX)

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._sum = 0

    def resume(self, gathered: bytes) -> None:
        self._sum = int(gathered)

    def gathered(self) -> bytes:
        return b"%d" % self._sum

    def visit(self, turn: Turn, number: int, key: bytes) -> None:
        total = turn.state.get(key, Total) or Total()
        if number == 0:
            self._sum += total.value
            return
        total = Total(total.value * self._factor, total.records)
        turn.state.put(key, total)
        say(turn, key[len(PREFIX) :].decode(), f"of-{self._sum}", total)

    def finish(self, turn: Turn) -> None:
        turn.emit(topics.ALERTS, b"all", f"{turn.output_id(topics.ALERTS, '', 'sum')}={self._sum}".encode())


def say(turn: Turn, customer: str, kind: str, total: Total) -> None:
    """An entry, which must be there exactly once, and the customer's profile."""
    value = f"{turn.output_id(topics.ENTRIES, customer, kind)}={total.value}"
    turn.emit(topics.ENTRIES, customer.encode(), value.encode())
    say_latest(turn, customer, total)


def say_latest(turn: Turn, customer: str, total: Total) -> None:
    """The customer's profile: its version and value."""
    version = turn.version
    turn.emit_latest(topics.PROFILES, customer.encode(), lambda: f"{version}={total.value}".encode())


def encode(body: msgspec.Struct, customer: str = "", event_id: str = "") -> bytes:
    """A record of the input topic."""
    return VOCABULARY.encode(body, org=ORG, at=7, source="test", customer=customer, event_id=event_id)


class Bench:
    """A broker with one partition, and workers over it, one after the other."""

    def __init__(self, partitions: int = 1) -> None:
        self.broker = MemoryBroker(partitions)
        self.stores: dict[tuple[str, int], MemoryStore] = {}

    def add(self, amount: int, customer: str = "c") -> int:
        """A good record; its offset."""
        return self.raw(encode(Added(amount), customer), customer)

    def wide(self, body: msgspec.Struct, event_id: str) -> int:
        """A partition-wide record; its offset."""
        return self.raw(encode(body, event_id=event_id), ORG)

    def raw(self, value: bytes | None, customer: str = "c", headers: tuple[tuple[str, bytes], ...] = ()) -> int:
        """Any record; its offset."""
        return self.broker.append(topics.FACTS.name, 0, f"{ORG}:{customer}".encode(), value, headers)

    async def worker(self, agent: Counting | None = None, **options: Any) -> MemoryWorker:
        """The next worker, on the same disk as the one before."""
        worker = MemoryWorker(self.broker, [(agent or Counting(), CHANGELOG)], stores=self.stores, **options)
        await worker.start()
        return worker

    async def run(self, **options: Any) -> MemoryWorker:
        """A worker, until nothing is left to do."""
        worker = await self.worker(**options)
        await worker.run_until_idle()
        return worker

    def wipe(self) -> None:
        """The disk is gone."""
        self.stores = {}

    async def state(self) -> dict[bytes, bytes]:
        """What a new machine would recover."""
        worker = MemoryWorker(self.broker, [(Counting(), CHANGELOG)])
        await worker.start()
        return worker.stores["counting", 0].data

    def local(self) -> dict[bytes, bytes]:
        """What is on the disk."""
        return self.stores["counting", 0].data

    def totals(self) -> dict[str, int]:
        """Customer → total, on the disk."""
        decode = msgspec.msgpack.Decoder(Total).decode
        found = {k: decode(v) for k, v in self.local().items() if k.startswith(PREFIX)}
        return {key[len(PREFIX) :].decode(): total.value for key, total in found.items()}

    def said(self, *of: Topic) -> Counter[tuple[str, bytes | None, bytes | None]]:
        """What must be there exactly once, however often it was tried."""
        return Counter((r.topic, r.key, r.value) for topic in of or OUTPUTS for r in self.broker.all(topic.name))

    def profiles(self) -> dict[bytes | None, bytes | None]:
        """The last profile of each customer."""
        return {record.key: record.value for record in self.broker.all(topics.PROFILES.name)}


async def same_as_undisturbed(bench: Bench, fill: Callable[[Bench], Any]) -> None:
    """Outputs and state must be those of a worker that nothing happened to; `fill` writes the same input."""
    calm = Bench()
    fill(calm)
    await calm.run()
    assert bench.said() == calm.said()
    assert bench.profiles() == calm.profiles()
    assert await bench.state() == calm.local()
    assert bench.local() == calm.local()


def values(records: Iterable[Any]) -> list[bytes]:
    """Values of records."""
    return [record.value for record in records]
