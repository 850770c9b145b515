"""Ticks: one a minute into every partition of `runs` that has an org, by the worker that owns the partition.

Ownership of a partition is an election that is held and fenced anyway (decision 14). Around a change of owner a minute
may be told twice or not at all: the runs agent passes over the one, and the next minute makes up for the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from stream.agents.runs.state import ORGS
from stream.contracts import topics
from stream.contracts.runs import RUNS, Tick
from stream.engine.ports import Output, Publisher

BEAT_SECONDS = 5.0
"""How often to look at the clock: what is due at a minute begins at most so much later."""
MINUTE_MS = 60_000
KEY = b"clock"
SOURCE = "schedule"

__all__ = ["BEAT_SECONDS", "ORGS", "Schedule", "tick_record"]


def _wall_clock() -> int:
    return int(time.time() * 1000)


class Schedule:
    """`owned`: the partitions of `runs` that are this worker's now and have an org. `now`: UTC ms."""

    def __init__(
        self, publisher: Publisher, owned: Callable[[], Iterable[int]], now: Callable[[], int] = _wall_clock
    ) -> None:
        self._publisher = publisher
        self._owned = owned
        self._now = now
        self._told: dict[int, int] = {}

    async def beat(self) -> None:
        """Tell the minute where it has not been told yet. Raises `Unreachable` when Kafka does not take it."""
        now = self._now()
        minute = now - now % MINUTE_MS
        owned = set(self._owned())
        await self._publisher.publish(
            tick_record(partition, minute, now) for partition in sorted(owned) if self._told.get(partition) != minute
        )
        self._told = dict.fromkeys(owned, minute)


def tick_record(partition: int, minute: int, at: int) -> Output:
    """The clock of one partition says `minute`; `at`: when that was read (both UTC ms)."""
    value = RUNS.encode(Tick(minute), org="", at=at, source=SOURCE)
    return Output(topics.RUNS.name, KEY, value, partition=partition)
