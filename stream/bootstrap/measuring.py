"""Brings a process's metrics up to what its parts count for themselves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter as Metric

from stream.contracts.topics import ALL
from stream.errors import LoyaltyError
from stream.ops.metrics import Metrics
from stream.sinks.reading import end_positions

if TYPE_CHECKING:  # each process imports only what it runs
    from stream.engine.faust.worker import WorkerApp
    from stream.sinks.firestore.sink import FirestoreSink

log = structlog.get_logger(__name__)

LAG_SECONDS = 10.0


class Raised:
    """Feeds a metric that only rises from counts that only rise, but begin anew when a part does."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._seen: Counter[tuple[str, ...]] = Counter()

    def to(self, labels: tuple[str, ...], count: int) -> None:
        """The part counts `count` now."""
        before = self._seen[labels]
        self._metric.labels(*labels).inc(count - before if count >= before else count)
        self._seen[labels] = count


class WorkerMeter:
    """Records, dead letters and lag of a worker's agents."""

    def __init__(
        self, metrics: Metrics, app: WorkerApp, bootstrap: str, prefix: str, agents: Mapping[str, str]
    ) -> None:
        """`agents`: input topic by agent."""
        self._metrics = metrics
        self._app = app
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._agents = agents
        self._records = Raised(metrics.records)
        self._dead_letters = Raised(metrics.dead_letters)

    def look(self) -> None:
        """What is counted in memory."""
        owned = self._app.ownership
        for agent in self._agents:
            self._records.to((agent,), owned.applied(agent))
        self._dead_letters.to(("agents",), owned.dead_letters())

    async def lag(self) -> None:
        """How far each owned partition is behind its log. Raises Unreachable."""
        sources = {topic: agent for agent, topic in self._agents.items()}
        ends = await end_positions(self._bootstrap, self._prefix, [t for t in ALL if t.name in sources])
        positions = self._app.ownership.positions()
        self._metrics.lag.clear()
        for place, end in ends.items():
            position = positions.get(f"{self._prefix}{place.topic}-{place.partition}")
            if position is not None:
                behind = max(end - position - 1, 0)
                self._metrics.lag.labels(sources[place.topic], str(place.partition)).set(behind)


class SinkMeter:
    """What a Firestore sink has done, and how far it is behind."""

    def __init__(self, metrics: Metrics, sink: FirestoreSink, bootstrap: str, prefix: str) -> None:
        self._metrics = metrics
        self._sink = sink
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._writes = Raised(metrics.sink_writes)
        self._dead_letters = Raised(metrics.dead_letters)

    def look(self) -> None:
        """What is counted in memory."""
        for outcome in ("written", "unchanged", "stale"):
            self._writes.to(("firestore", outcome), getattr(self._sink.counts, outcome))
        self._writes.to(("firestore", "failed"), self._sink.dead_letters)
        self._dead_letters.to(("firestore",), self._sink.dead_letters)

    async def lag(self) -> None:
        """Offsets between what is written and where the log ends. Raises Unreachable."""
        positions = self._sink.positions()
        read = {place.topic for place in positions}
        ends = await end_positions(self._bootstrap, self._prefix, [topic for topic in ALL if topic.name in read])
        behind = sum(max(ends[place] - offset, 0) for place, offset in positions.items())
        self._metrics.sink_lag.labels("firestore").set(behind)


async def repeatedly(measure: Callable[[], Awaitable[None]]) -> None:
    """Every ten seconds, for ever; what cannot be measured now is measured later."""
    while True:
        await asyncio.sleep(LAG_SECONDS)
        try:
            await measure()
        except LoyaltyError as error:
            log.info("not measured", error=str(error))
