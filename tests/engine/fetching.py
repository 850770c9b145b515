"""A Faust consumer over a partition in memory: what a fetch would deliver, and from where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from faust.types.tuples import TP

from stream.agents.accounts import Accounts, accounts
from stream.contracts import topics
from stream.contracts.topics import Topic
from stream.engine.faust.consumer import UnitConsumer
from stream.engine.faust.worker import Stateful, build

HERE = TP(f"t.{topics.FACTS.name}", 0)


class Record(NamedTuple):
    """As much of a fetched record as the consumer looks at."""

    offset: int
    key: bytes = b"k"
    value: bytes = b"v"
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0


class Fetcher:
    """In place of Faust's consumer thread. `committed`: the group's offset, where reading begins unless it is sought;
    `seeks`: where it was sought to; `watched`: topics looked at for standing still. Offsets that `log` lacks are
    markers."""

    def __init__(self, log: Sequence[int], committed: int) -> None:
        self.seeks: list[int] = []
        self.watched: list[str] = []
        self._log = log
        self._committed = committed
        self._position = committed

    def assignment(self) -> set[TP]:
        return {HERE}

    async def seek_to_committed(self) -> dict[TP, int]:
        self._position = self._committed
        return {HERE: self._committed}

    def seek(self, tp: TP, offset: int) -> None:
        self.seeks.append(offset)
        self._position = offset

    def verify_event_path(self, now: float, tp: TP) -> None:
        self.watched.append(tp.topic)

    async def getmany(self, active: Iterable[TP] | None, timeout: float) -> dict[TP, list[Record]]:
        fetched = [Record(offset) for offset in self._log if offset >= self._position][:2]
        if not fetched or HERE not in (active or ()):
            return {}
        self._position = fetched[-1].offset + 1
        return {HERE: fetched}


class Included:
    """In place of what the worker owns: `position` is what state includes."""

    def __init__(self, position: int) -> None:
        self.position = position

    async def seek_targets(self, assigned: set[TP], consumer: Any) -> dict[TP, int]:
        return {HERE: self.position + 1}

    def next_offset(self, tp: TP) -> int | None:
        return self.position + 1

    async def settle(self) -> None:
        return None


class Fetching:
    """One assignment after the other: `resumed` (Faust lets the input flow) comes before `sought`."""

    def __init__(self, data_dir: Path, fetcher: Fetcher, included: Included) -> None:
        stateful = Stateful(Accounts(), accounts, topics.ACCOUNTS_CHANGELOG)
        app = build([stateful], bootstrap="nowhere:1", prefix="t.", partitions=1, data_dir=data_dir, name="w")
        app.ownership = cast(Any, included)
        self._consumer: Any = UnitConsumer(
            app.transport,
            callback=_nothing,
            on_partitions_revoked=_nothing,
            on_partitions_assigned=_nothing,
            loop=app.loop,
        )
        self._consumer._thread = fetcher
        self._consumer.sleep = _nothing

    async def assigned(self) -> None:
        """The partition is ours, perhaps again."""
        await self._consumer.on_partitions_revoked({HERE})
        self._consumer._set_active_tps({HERE})

    async def sought(self) -> None:
        """Recovery is over."""
        await self._consumer.perform_seek()

    def watch(self, topic: Topic) -> None:
        """Look whether the partition's stream stands still."""
        self._consumer.verify_event_path(0.0, TP(f"t.{topic.name}", 0))

    async def delivered(self, fetches: int = 8) -> list[int]:
        """Offsets that the agent would see."""
        found: list[int] = []
        for _ in range(fetches):
            async for _tp, message in self._consumer.getmany(0.0):
                found += [record.offset for record in message.value]
        return found


async def _nothing(*_: Any) -> None:
    return None
