"""What the member on duty has and does, from taking over to standing down."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from stream.contracts import topics
from stream.contracts.deliveries import Delivery, Outcome
from stream.sinks import reading
from stream.sinks.notify.audience import HEARTBEAT_GIVE_UP_SECONDS, Audience
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.delivery_reader import Entry
from stream.sinks.notify.lane import OPEN, Lane
from stream.sinks.notify.ledger import Ledger
from stream.sinks.notify.log_ends import LogEnds
from stream.sinks.notify.newsroom import Newsroom
from stream.sinks.notify.pausing import Pauses
from stream.sinks.reading import Batch, Positions

log = structlog.get_logger(__name__)

OLD_NEWS_MS = 86_400_000
"""Who begins to listen hears of the last day, not of all that the log still holds."""
COMMIT_SECONDS = 1.0
FINISH_SECONDS = 10.0


class Duty:
    """Made by `begin`. `positions`: where reading is; `committed`: where it would begin after a restart."""

    def __init__(
        self,
        newsroom: Newsroom,
        ledger: Ledger,
        ends: LogEnds,
        lanes: dict[tuple[str, str], Lane],
        positions: Positions,
        clock: Clock,
    ) -> None:
        self.lanes = lanes
        self.positions = positions
        self.committed: Positions = {}
        self._newsroom = newsroom
        self._ledger = ledger
        self._ends = ends
        self._clock = clock
        self._committed_at = 0.0
        self._tasks = [asyncio.create_task(lane.run()) for lane in lanes.values()]
        self._tasks.append(asyncio.create_task(self._answer_requests()))

    @classmethod
    async def begin(
        cls,
        consumer: AIOKafkaConsumer,
        ledger: Ledger,
        ends: LogEnds,
        audiences: Sequence[Audience],
        *,
        prefix: str,
        clean: Callable[[str], str],
        clock: Clock,
        counts: Counter[tuple[str, str, str]],
    ) -> Self:
        """Take over: fence the predecessor, learn what has been told, and go to where reading must begin.

        Raises Unreachable, Fenced.
        """
        told = await ledger.open()
        await ends.open([topics.ALERTS, topics.RUNS])
        positions = await _beginning(consumer, ends, prefix, clock)
        backlog = await ends.all()
        for place, offset in positions.items():
            consumer.seek(reading.kafka_partition(prefix, place), offset)
        lanes = _lanes(audiences, ledger, clock, counts, Pauses(audiences, told))
        for entry in sorted(told, key=lambda each: each.delivery.made_at):
            lane = lanes.get((entry.org, entry.delivery.channel))
            if lane is not None and entry.delivery.outcome in OPEN:
                lane.put(entry.delivery)
        newsroom = Newsroom(audiences, told, positions, backlog, clean, clock)
        return cls(newsroom, ledger, ends, lanes, positions, clock)

    @property
    def caught_up(self) -> bool:
        """Whether all has been read that there was when duty began."""
        return self._newsroom.caught_up()

    async def carry_out(self, batch: Batch) -> None:
        """Steps 2 to 4. Raises what a lane ended with."""
        for task in self._tasks:
            if task.done():
                task.result()
        self.positions |= batch.positions
        self._newsroom.take(batch.records, batch.positions)  # 2
        await self._look_for_the_ends_of_runs()
        made = self._newsroom.messages()
        await self._write(made)  # 3
        for org, delivery in made:  # 4
            if delivery.outcome in OPEN:
                self.lanes[(org, delivery.channel)].put(delivery)

    async def end(self) -> None:
        """Let attempts under way end, within a bound; then nothing is sent or written any more."""
        await asyncio.gather(*(lane.finish(FINISH_SECONDS) for lane in self.lanes.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ledger.close()
        with contextlib.suppress(KafkaError):
            await self._ends.close()

    async def _write(self, made: list[Entry]) -> None:
        offsets = self._newsroom.offsets()
        now = self._clock.monotonic()
        changed = {place: offset for place, offset in offsets.items() if self.committed.get(place) != offset}
        if made or (changed and now - self._committed_at >= COMMIT_SECONDS):
            await self._ledger.write(made, changed)
            self.committed, self._committed_at = offsets, now

    async def _look_for_the_ends_of_runs(self) -> None:
        endings = self._newsroom.endings_without_place()
        if not endings:
            return
        try:
            ends = await self._ends.all()
        except KafkaError as error:
            log.info("notify: the log's end is not known, looking again", error=repr(error))
            return
        for ending in endings:
            ending.alerts_end = {place: end for place, end in ends.items() if place.topic == topics.ALERTS.name}

    async def _answer_requests(self) -> None:
        async for org, delivery in self._ledger.requests():
            lane = self.lanes.get((org, delivery.channel))
            if lane is not None:
                log.info("notify: asked to send a message again", org=org, message=delivery.message)
                lane.ask(delivery)


def _lanes(
    audiences: Sequence[Audience],
    ledger: Ledger,
    clock: Clock,
    counts: Counter[tuple[str, str, str]],
    pauses: Pauses,
) -> dict[tuple[str, str], Lane]:
    lanes: dict[tuple[str, str], Lane] = {}

    async def write(org: str, delivery: Delivery) -> None:
        paused = delivery.outcome is Outcome.PAUSED
        news = pauses.news_of(org, delivery, clock.millis()) if paused else []
        await ledger.write([Entry(org, delivery), *news])  # together: who has paused has said so
        for each in news:
            lanes[(org, each.delivery.channel)].put(each.delivery)

    for audience in audiences:
        for channel in audience.channels:
            patience = HEARTBEAT_GIVE_UP_SECONDS if channel is audience.heartbeat else audience.give_up_seconds
            lanes[(audience.org, channel.name)] = Lane(
                audience.org, channel, write, clock, give_up_seconds=patience, counts=counts
            )
    return lanes


async def _beginning(consumer: AIOKafkaConsumer, ends: LogEnds, prefix: str, clock: Clock) -> Positions:
    """The committed offsets; where there is none that can be, a day back."""
    recent, last, first = await ends.since(clock.millis() - OLD_NEWS_MS), await ends.all(), await ends.starts()
    positions: Positions = {}
    for place, fallback in recent.items():
        committed = await consumer.committed(reading.kafka_partition(prefix, place))
        usable = committed is not None and first[place] <= committed <= last[place]
        positions[place] = committed if usable else fallback
    return positions
