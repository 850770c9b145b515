"""Brings a process's metrics up to what its parts count for themselves."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter as Metric

from stream.bootstrap.arrivals import ArrivalReader
from stream.bootstrap.backlog import Backlog, BacklogReader
from stream.contracts import topics
from stream.errors import LoyaltyError
from stream.ops.metrics import Metrics
from stream.sinks.reading import Place, Positions

if TYPE_CHECKING:  # each process imports only what it runs
    from stream.engine.faust.worker import WorkerApp
    from stream.sinks.firestore.sink import FirestoreSink
    from stream.sinks.views.read import Views
    from stream.sinks.views.shown import DeadLetter

log = structlog.get_logger(__name__)

LAG_SECONDS = 10.0
LETTERS_AT_ONCE = 5_000
"""Per partition and look, when the topic is read anew."""


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
    """Records, units, dead letters and backlog of a worker's agents, and how long orders take to arrive."""

    def __init__(
        self, metrics: Metrics, app: WorkerApp, bootstrap: str, prefix: str, agents: Mapping[str, str]
    ) -> None:
        """`agents`: input topic by agent."""
        self._metrics = metrics
        self._app = app
        self._prefix = prefix
        self._agents = agents
        self._backlog = BacklogReader(bootstrap, prefix)
        self._arrivals = ArrivalReader(bootstrap, prefix, self._arrived)
        self._records = Raised(metrics.records)
        self._dead_letters = Raised(metrics.dead_letters)

    def unit(self, agent: str, seconds: float, retries: int) -> None:
        """A unit was committed. `retries`: transactions of it that were aborted before."""
        self._metrics.unit_seconds.labels(agent).observe(seconds)
        self._metrics.unit_retries.labels(agent).inc(retries)

    def look(self) -> None:
        """What is counted in memory."""
        owned = self._app.ownership
        for agent in self._agents:
            self._records.to((agent,), owned.applied(agent))
        self._dead_letters.to(("agents",), owned.dead_letters())

    async def lag(self) -> None:
        """How far each owned partition is behind its log, and what arrived. Raises Unreachable."""
        positions = self._next_offsets()
        sources = {topic: agent for agent, topic in self._agents.items()}
        backlog = await self._backlog.of(positions)
        self._metrics.lag.clear()
        self._metrics.oldest_unread.clear()
        now_ms = int(time.time() * 1000)
        for place, left in backlog.items():
            labels = sources[place.topic], str(place.partition)
            self._metrics.lag.labels(*labels).set(left.records)
            self._metrics.oldest_unread.labels(*labels).set(left.age_seconds(now_ms))
        await self._arrivals.look([at.partition for at in positions if at.topic == topics.FACTS.name], now_ms)

    def _next_offsets(self) -> Positions:
        """Per owned partition the next offset after what state includes."""
        found: Positions = {}
        for name, included in self._app.ownership.positions().items():
            topic, _, partition = name.removeprefix(self._prefix).rpartition("-")
            found[Place(topic, int(partition))] = included + 1
        return found

    def _arrived(self, org: str, seconds: float) -> None:
        self._metrics.order_to_profile_seconds.labels(org).observe(seconds)


class SinkMeter:
    """What a Firestore sink has done, and how far it is behind."""

    def __init__(self, metrics: Metrics, sink: FirestoreSink, bootstrap: str, prefix: str) -> None:
        self._metrics = metrics
        self._sink = sink
        self._backlog = BacklogReader(bootstrap, prefix)
        self._writes = Raised(metrics.sink_writes)
        self._dead_letters = Raised(metrics.dead_letters)

    def look(self) -> None:
        """What is counted in memory."""
        for outcome in ("written", "unchanged", "stale"):
            self._writes.to(("firestore", outcome), getattr(self._sink.counts, outcome))
        self._writes.to(("firestore", "failed"), self._sink.dead_letters)
        self._dead_letters.to(("firestore",), self._sink.dead_letters)

    async def lag(self) -> None:
        """What the log holds beyond what is written. Raises Unreachable."""
        show_backlog(self._metrics, "firestore", await self._backlog.of(self._sink.positions()))


class ViewsMeter:
    """How far the views are behind, and which dead letters arrive in them: those of every role."""

    def __init__(self, metrics: Metrics, views: Views, bootstrap: str, prefix: str) -> None:
        """What the views have already is no news."""
        self._metrics = metrics
        self._views = views
        self._backlog = BacklogReader(bootstrap, prefix)
        self._seen = self._dead_letters_end()

    async def lag(self) -> None:
        """What the log holds beyond what the views have, and which dead letters they got. Raises Unreachable."""
        self.look()
        show_backlog(self._metrics, "views", await self._backlog.of(self._views.positions()))

    def look(self) -> None:
        """Count dead letters that came since the last look, and log one line for each reason."""
        before, self._seen = self._seen, self._dead_letters_end()
        alike: dict[tuple[str, str, str], list[DeadLetter]] = {}
        for partition, end in self._seen.items():
            for offset in range(max(before.get(partition, 0), end - LETTERS_AT_ONCE), end):
                letter = self._views.dead_letter(partition, offset)
                if letter is not None:  # else a transaction marker
                    labels = letter.org, letter.stage, letter.exception
                    self._metrics.dead_letters_by_reason.labels(*labels).inc()
                    alike.setdefault((letter.org, letter.stage, letter.reason), []).append(letter)
        for (org, stage, reason), letters in alike.items():
            place = f"{letters[0].partition}:{letters[0].offset}"
            log.warning("dead letters", org=org, stage=stage, reason=reason, count=len(letters), first=place)

    def _dead_letters_end(self) -> dict[int, int]:
        """Next offset by partition of the topic."""
        positions = self._views.positions().items()
        return {place.partition: offset for place, offset in positions if place.topic == topics.DEAD_LETTERS.name}


def show_backlog(metrics: Metrics, sink: str, backlog: Mapping[Place, Backlog]) -> None:
    """Set what a sink has not dealt with yet."""
    now_ms = int(time.time() * 1000)
    metrics.sink_lag.labels(sink).set(sum(left.records for left in backlog.values()))
    ages = [left.age_seconds(now_ms) for left in backlog.values()]
    metrics.sink_oldest_unread.labels(sink).set(max(ages, default=0.0))


async def repeatedly(measure: Callable[[], Awaitable[None]]) -> None:
    """Every ten seconds, for ever; what cannot be measured now is measured later."""
    while True:
        await asyncio.sleep(LAG_SECONDS)
        try:
            await measure()
        except LoyaltyError as error:
            log.info("not measured", error=str(error))
