"""The notifier: from committed alerts and ended runs to messages that people have, each once.

    1  read what is committed
    2  gather it into groups
    3  write the messages that are due, and the offsets that need not be read again, in one transaction
    4  hand the messages to their channels' lanes, which send them

A crash before 3 gathers the same records again. A crash after 3 finds the messages in `deliveries`, with all that
they say. What a message is about already is never gathered again, wherever reading begins.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError

from stream.contracts import topics
from stream.sinks import reading
from stream.sinks.notify.assignor import OneOnDuty
from stream.sinks.notify.audience import Audience
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.duty import Duty
from stream.sinks.notify.ledger import Ledger
from stream.sinks.notify.log_ends import LogEnds
from stream.sinks.reading import Positions

log = structlog.get_logger(__name__)

GROUP = "notify"
TOPICS = (topics.ALERTS, topics.RUNS)
BATCH_RECORDS = 2000
WAIT_MS = 250
REVOKE_SECONDS = 20.0


class Notifier:
    """Tells `audiences` until `run` is cancelled.

    `bootstrap`, `prefix`: where the log is; the consumer group is `<prefix>notify`. `name` tells members of the group
    apart, and is kept over restarts: the next process of that name takes over at once. Only one member works; others
    stand by. `clean` takes secrets and personal data out of texts that others wrote.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        audiences: Sequence[Audience],
        *,
        clean: Callable[[str], str],
        name: str = "1",
        clock: Clock | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._audiences = audiences
        self._clean = clean
        self._name = name
        self._clock = clock or Clock()
        self._duty: Duty | None = None
        self._changed = False
        self._stands_by = False
        self._round = asyncio.Lock()
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """Attempts by (org, channel, outcome) since the start."""

    @property
    def ready(self) -> bool:
        """On duty, with all read that there was at the start; or standing by."""
        return self._stands_by if self._duty is None else self._duty.caught_up

    @property
    def standing(self) -> str:
        """What it is doing, in words."""
        if self._duty is None:
            return "standing by" if self._stands_by else "starting"
        return "on duty" if self._duty.caught_up else "on duty, reading what it missed"

    def waiting(self) -> dict[tuple[str, str], int]:
        """Messages not delivered yet, by (org, channel)."""
        return {} if self._duty is None else {key: lane.waiting for key, lane in self._duty.lanes.items()}

    def paused(self) -> dict[tuple[str, str], str | None]:
        """Why a channel sends nothing, by (org, channel); None: it does."""
        return {} if self._duty is None else {key: lane.paused for key, lane in self._duty.lanes.items()}

    def positions(self) -> Positions:
        """Per partition: everything before has been read."""
        return {} if self._duty is None else dict(self._duty.positions)

    async def run(self) -> None:
        """Tell until cancelled. Raises Unreachable when no broker answers, Fenced when another process of this name
        has taken over, ConfigurationError for a missing topic."""
        (await reading.describe_cluster(self._bootstrap)).places(self._prefix, (*TOPICS, topics.DELIVERIES))
        consumer = self._consumer()
        await reading.start_consumer(consumer, self._bootstrap)
        try:
            consumer.subscribe([self._prefix + topic.name for topic in TOPICS], listener=_Rebalance(self))
            while True:
                await self._step(consumer)
        finally:
            await self.stand_down()
            await consumer.stop()
            for audience in self._audiences:
                for channel in audience.channels:
                    await channel.close()

    async def _step(self, consumer: AIOKafkaConsumer) -> None:
        if self._changed:
            async with self._round:
                await self._take_duty(consumer)
        if self._duty is None:
            await consumer.getmany(timeout_ms=WAIT_MS)  # stands by: nothing is assigned
            return
        try:
            batch = await reading.next_batch(  # 1
                consumer, self._prefix, self._duty.positions, max_records=BATCH_RECORDS, wait_ms=WAIT_MS
            )
        except IllegalStateError:
            return  # partitions were revoked while their positions were asked for
        async with self._round:
            if self._duty is not None and not self._changed:
                await self._duty.carry_out(batch)  # 2, 3, 4

    async def _take_duty(self, consumer: AIOKafkaConsumer) -> None:
        self._changed = False
        assigned = consumer.assignment()
        self._stands_by = not assigned
        if not assigned:
            log.info("notify: standing by")
            return
        ledger = Ledger(self._bootstrap, self._prefix, self._prefix + GROUP, self._clock)
        ends = LogEnds(self._bootstrap, self._prefix)
        try:
            self._duty = await Duty.begin(
                consumer,
                ledger,
                ends,
                self._audiences,
                prefix=self._prefix,
                clean=self._clean,
                clock=self._clock,
                counts=self.counts,
            )
        except BaseException:
            await ledger.close()
            await ends.close()
            raise
        log.info("notify: on duty", partitions=len(assigned))

    async def stand_down(self) -> None:
        """Let what is under way end, within a bound, and forget everything."""
        duty, self._duty = self._duty, None
        if duty is not None:
            await duty.end()

    async def revoked(self) -> None:
        """The partitions may go to another member."""
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                async with self._round:
                    await self.stand_down()
        except TimeoutError:
            log.warning("notify: a round outlasted the rebalance")  # the next one on duty fences what it writes

    def assigned(self) -> None:
        """The partitions are this member's, or another's."""
        self._changed = True

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._prefix + GROUP,
            group_instance_id=self._name,
            partition_assignment_strategy=[OneOnDuty],
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            metadata_max_age_ms=60_000,
            session_timeout_ms=15_000,
            max_poll_interval_ms=600_000,
        )


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._notifier.revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._notifier.assigned()
