"""What this worker owns: one fenced log, one store and one position per agent and partition."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog
from faust.tables import TableManager
from faust.types.tuples import TP

from stream.engine.agent import Agent
from stream.engine.faust.log import STALLED_SECONDS, KafkaLog, LogStalled
from stream.engine.faust.store import RocksStore, UnitTable
from stream.engine.resume import resume
from stream.engine.turn import Place
from stream.engine.unit import Partition, position_of

log = structlog.get_logger(__name__)

SETTLE_SECONDS = STALLED_SECONDS + 5
"""A unit gives up by itself after `STALLED_SECONDS`; the group would replace us a little later."""


UnitObserver = Callable[[str, float, int], None]
"""Told of each committed unit: the agent, the seconds it took, and how many of its transactions were aborted."""


def _nobody(agent: str, seconds: float, retries: int) -> None:
    """Nobody wants to know."""


class Owned:
    """One agent's partition while this worker owns it."""

    def __init__(self, kafka_log: KafkaLog) -> None:
        self.log = kafka_log
        self.store: RocksStore | None = None
        self.partition: Partition | None = None
        self.stopped: str | None = None
        self.committing: asyncio.Task[None] | None = None


class Ownership:
    """Opens and fences what is assigned, closes what is revoked, and knows every position.

    `failed` is told when a unit could not be committed; it must not return to what acknowledges units.
    """

    def __init__(self, bootstrap: str, prefix: str, partitions: int, failed: Callable[[BaseException], None]) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.partitions = partitions
        self.observed: UnitObserver = _nobody
        self._failed = failed
        self._settling = False
        self._agents: dict[str, tuple[Agent, UnitTable]] = {}
        self._owned: dict[TP, Owned] = {}

    def add(self, agent: Agent, table: UnitTable) -> None:
        """Make an agent known, by its input topic."""
        self._agents[self.prefix + agent.source.name] = (agent, table)

    async def take(self, assigned: Iterable[TP]) -> None:
        """Fence the predecessors of newly assigned input partitions: before recovery, so that it sees the end."""
        new = [tp for tp in assigned if tp.topic in self._agents and tp not in self._owned]
        for tp in new:
            agent, table = self._agents[tp.topic]
            changelog = table.changelog_topic.get_topic_name()
            self._owned[tp] = Owned(
                KafkaLog(self.bootstrap, self.prefix, agent.name, changelog, tp.partition, self.partitions)
            )
        await asyncio.gather(*(self._owned[tp].log.open() for tp in new))

    async def commit(self, tp: TP, unit: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Commit a unit beside those of other partitions: while one waits for the broker, another is applied.

        Waits for the unit before it of its own partition. A unit that may not begin any more, because the partition
        has stopped or is being handed over, is dropped: its position has not moved, so it is read again.
        """
        owned = self._owned.get(tp)
        if owned is not None and owned.committing is not None:
            await asyncio.wait([owned.committing])
        if owned is None or self._settling or owned.stopped or self._owned.get(tp) is not owned:
            return
        self._begin(owned, unit())

    def _begin(self, owned: Owned, work: Coroutine[Any, Any, None]) -> None:
        own = contextvars.copy_context()  # what the unit binds to its log lines holds for its end, too
        owned.committing = asyncio.create_task(work, context=own)
        owned.committing.add_done_callback(self._committed, context=own)

    def _committed(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(error)

    async def settle(self) -> None:
        """Let the units that are being committed end, and no other begin until positions are sought again.

        Before partitions are handed over: their next owner fences us, and a unit that is cut off there would end this
        process although nothing is wrong with it.
        """
        self._settling = True
        running = [owned.committing for owned in self._owned.values() if owned.committing is not None]
        if running:
            _, late = await asyncio.wait(running, timeout=SETTLE_SECONDS)
            if late:
                self._failed(LogStalled(f"{len(late)} units have not ended within {SETTLE_SECONDS:.0f} s"))

    async def give_back(self, revoked: Iterable[TP]) -> None:
        """Let go of revoked partitions."""
        gone = [self._owned.pop(tp) for tp in list(revoked) if tp in self._owned]
        for owned in gone:
            if owned.store is not None:
                owned.store.close()
        await asyncio.gather(*(owned.log.close() for owned in gone))

    async def close(self) -> None:
        """Let go of everything."""
        await self.settle()
        await self.give_back(list(self._owned))

    def partition_of(self, tp: TP) -> Partition | None:
        """The partition to commit to; None while it is not ours or has been stopped."""
        owned = self._owned.get(tp)
        return None if owned is None or owned.stopped else owned.partition

    def stop(self, tp: TP, reason: str) -> None:
        """Leave a partition alone until a person has acted."""
        if tp in self._owned:
            self._owned[tp].stopped = reason
        log.error("partition stopped", topic=tp.topic, partition=tp.partition, reason=reason)

    def stopped(self) -> dict[str, str]:
        """Stopped partitions with the reason, for health."""
        return {f"{tp.topic}-{tp.partition}": owned.stopped for tp, owned in self._owned.items() if owned.stopped}

    def positions(self) -> dict[str, int]:
        """The last offset included, per input partition."""
        return {f"{tp.topic}-{tp.partition}": p.position.offset for tp, p in self._open()}

    def applied(self, agent: str | None = None) -> int:
        """Records applied (by one agent, or all) since the partitions were opened."""
        return sum(p.applied for _, p in self._open() if agent in (None, p.place.agent))

    def dead_letters(self) -> int:
        """Records given up since the partitions were opened."""
        return sum(partition.dead_letters for _, partition in self._open())

    def _open(self) -> list[tuple[TP, Partition]]:
        return [(tp, owned.partition) for tp, owned in self._owned.items() if owned.partition is not None]

    def next_offset(self, tp: TP) -> int | None:
        """See `consumer.Positions`."""
        partition = self.partition_of(tp)
        return None if partition is None else partition.position.offset + 1

    async def seek_targets(self, assigned: set[TP], consumer: Any) -> dict[TP, int]:
        """See `consumer.Positions`. Opens the partitions: recovery is over."""
        inputs = {TP(*tp) for tp in assigned if tp.topic in self._agents and TP(*tp) in self._owned}
        if not inputs:
            return {}
        self._settling = False
        starts, ends = await consumer.earliest_offsets(*inputs), await consumer.highwaters(*inputs)
        return {tp: await self._open_partition(tp, starts.get(tp) or 0, ends.get(tp) or 0) for tp in inputs}

    async def _open_partition(self, tp: TP, log_start: int, log_end: int) -> int:
        owned = self._owned[tp]
        agent, table = self._agents[tp.topic]
        if owned.partition is None or owned.store is None:
            owned.store = table.data.open_partition(tp.partition)
            place = Place(agent.name, agent.source.name, tp.partition, self.partitions, 0)
            owned.partition = Partition(place, owned.store, owned.log)
        decision = resume(position_of(owned.store), log_start, log_end, heals=agent.heals)
        if decision.stop:
            self.stop(tp, f"{tp.topic}-{tp.partition}: {decision.stop}")
        elif decision.new_epoch:
            log.warning("the input log is not what state was built from", topic=tp.topic, partition=tp.partition)
            noticed_at = int(time.time() * 1000)
            self._begin(owned, owned.partition.begin_epoch(agent, decision.next_offset - 1, noticed_at))
        else:
            self._begin(owned, owned.partition.finish_epoch(agent))
        return decision.next_offset


class FencingTables(TableManager):  # type: ignore[misc]  # Faust is not typed
    """Faust's table manager, with fencing before recovery and closing before handing over."""

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Give back, fence, check local stores against their changelogs, then recover as Faust does."""
        ownership: Ownership = self.app.ownership
        await ownership.settle()
        await ownership.give_back(revoked)
        await ownership.take(assigned)
        await self._wipe_stores_ahead(newly_assigned)
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    async def on_stop(self) -> None:
        """Units end before their stores are closed."""
        await self.app.ownership.settle()
        await super().on_stop()

    async def _wipe_stores_ahead(self, newly_assigned: set[TP]) -> None:
        """A store that knows more than its changelog (a power cut took the log's tail) is not to be believed."""
        changelogs = {tp for tp in newly_assigned if tp.topic in self.changelog_topics}
        if not changelogs:
            return
        ends = await self.app.consumer.highwaters(*changelogs)
        for tp in changelogs:
            stores = self._changelogs[tp.topic].data
            persisted = stores.persisted_offset(tp)
            if persisted is not None and persisted >= (ends.get(tp) or 0):
                log.warning("local state is ahead of its changelog: recovering it", partition=tp.partition)
                stores.wipe_partition(tp.partition)
