"""A worker: one Faust app that runs the agents over units."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import faust
import structlog
from faust.types.tuples import TP

from stream.contracts.topics import Topic
from stream.engine.agent import Agent
from stream.engine.faust.consumer import AsIs, UnitTransport
from stream.engine.faust.ownership import FencingTables, Ownership
from stream.engine.faust.store import UnitTable
from stream.engine.ports import Input
from stream.engine.unit import Partition, Unit
from stream.errors import Fenced, LoyaltyError, PartitionStopped

log = structlog.get_logger(__name__)

AgentLoop = Callable[[AsyncIterator[Unit]], Awaitable[None]]
YOUNG_OBJECTS = 250_000
"""A unit holds some 100,000 values, none of them in cycles: Python's default of 700 young objects would have the
cycle collector look through them all, again and again, for half of the worker's time."""
EXIT_FAILED = 1
EXIT_FENCED = 8


class WorkerApp(faust.App):  # type: ignore[misc]  # Faust is not typed
    """A Faust app that carries what this worker owns."""

    ownership: Ownership


class Stateful:
    """An agent with its loop and its changelog."""

    def __init__(self, agent: Agent, loop: AgentLoop, changelog: Topic) -> None:
        self.agent = agent
        self.loop = loop
        self.changelog = changelog


def build(
    stateful: Sequence[Stateful], *, bootstrap: str, prefix: str, partitions: int, data_dir: Path, name: str
) -> WorkerApp:
    """A worker that is not started yet. `name` is its static group membership; `data_dir` is its alone."""
    data_dir.mkdir(parents=True, exist_ok=True)
    app = WorkerApp(
        f"{prefix}worker",
        broker=f"kafka://{bootstrap}",
        store="rocksdb://",
        datadir=str(data_dir),
        TableManager=FencingTables,
        Table=UnitTable,
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        stream_buffer_maxsize=16,
        stream_wait_empty=True,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=2 << 20,
        broker_max_poll_records=10_000,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_commit_interval=2.0,
        consumer_group_instance_id=f"{prefix}{name}",
        table_standby_replicas=0,
        recovery_consistency_check=False,  # `FencingTables` checks, and mends
    )
    app.transport = UnitTransport(app.conf.broker_consumer, app)
    app.ownership = Ownership(bootstrap, prefix, partitions, _leave)
    for one in stateful:
        _add(app, one, prefix, partitions)
    return app


def _add(app: WorkerApp, one: Stateful, prefix: str, partitions: int) -> None:
    schema = AsIs(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    source = app.topic(prefix + one.agent.source.name, schema=schema, partitions=partitions)
    table = app.Table(
        one.agent.name,
        partitions=partitions,
        key_type=bytes,
        value_type=bytes,
        recovery_buffer_size=2,  # with 1 the changelog would keep flowing into the live table
        changelog_topic=app.topic(
            prefix + one.changelog.name, schema=schema, partitions=partitions, compacting=True, internal=True
        ),
    )
    app.ownership.add(one.agent, table)

    async def process(stream: Any) -> None:
        await one.loop(_units(app.ownership, stream))

    app.agent(source, name=one.agent.name)(_exit_on_failure(process))


def every(app: WorkerApp, seconds: float, what: str, body: Callable[[], Awaitable[None]]) -> None:
    """Have Faust's timer call `body` again and again while the worker runs; before `run`.

    What it raises is logged as the failure of `what`, and it is called again: Faust would end the worker.
    """

    async def guarded() -> None:
        try:
            await body()
        except Exception as error:
            expected = isinstance(error, LoyaltyError)
            log.warning(f"{what} failed, beginning again", error=str(error), exc_info=not expected)

    app.timer(seconds, name=what)(guarded)


def owned_partitions(app: WorkerApp, source: Topic, prefix: bytes) -> list[int]:
    """The partitions of an agent's input that are this worker's now and whose state has a key with that prefix."""
    name = app.ownership.prefix + source.name
    owned = ((number, app.ownership.partition_of(TP(name, number))) for number in range(app.ownership.partitions))
    return [number for number, partition in owned if partition and any(partition.store.scan(prefix))]


async def _units(ownership: Ownership, stream: Any) -> AsyncIterator[Unit]:
    async for event in stream.events():
        message = event.message
        tp = TP(message.topic, message.partition)
        partition = ownership.partition_of(tp)
        if partition is None:
            continue  # acknowledged as dropped: its next owner reads it again
        topic = partition.place.source
        number = tp.partition
        records = [Input(topic, number, r.offset, r.key, r.value, tuple(r.headers), r.timestamp) for r in message.value]
        yield StoppableUnit(ownership, tp, partition, records)


def _nothing() -> None:
    """Faust acknowledges an event when the next one is asked for."""


class StoppableUnit(Unit):
    """A unit whose partition may refuse to go on, while the others do."""

    def __init__(self, ownership: Ownership, tp: TP, partition: Partition, records: Sequence[Input]) -> None:
        super().__init__(partition, records, _nothing)
        self._ownership = ownership
        self._tp = tp

    async def commit(self, agent: Agent) -> None:
        """Begin to commit, beside units of other partitions."""
        await self._ownership.commit(self._tp, lambda: self._commit(agent))

    async def _commit(self, agent: Agent) -> None:
        """As `Unit.commit`, but a partition that must stop is left alone. What is logged meanwhile names the unit."""
        structlog.contextvars.bind_contextvars(agent=agent.name, unit=self.name)  # of this task alone
        before, began = (self.partition.retries, self.partition.dead_letters), time.monotonic()
        try:
            await super().commit(agent)
            self._committed(*before, time.monotonic() - began)
        except PartitionStopped as stopped:
            self._ownership.stop(self._tp, str(stopped))

    def _committed(self, retries: int, dead_letters: int, seconds: float) -> None:
        """Counted; and said where something was out of the ordinary."""
        partition = self.partition
        again, given_up = partition.retries - retries, partition.dead_letters - dead_letters
        self._ownership.observed(partition.place.agent, seconds, again)
        say = log.warning if again or given_up else log.debug
        say(
            "unit committed", records=len(self.records), retries=again, dead_letters=given_up, seconds=round(seconds, 3)
        )


def _exit_on_failure(process: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Faust would acknowledge the event and go on: the record would be lost. The process exits instead."""

    async def guarded(stream: Any) -> None:
        try:
            await process(stream)
        except Exception as error:
            _leave(error)

    return guarded


def _leave(error: BaseException) -> None:
    """End the process at once: nothing may be acknowledged, and nothing is left to say goodbye to."""
    if isinstance(error, Fenced):
        log.error("fenced: another worker owns this partition", reason=str(error))
        os._exit(EXIT_FENCED)
    log.error("a unit could not be committed: leaving, so that nothing is acknowledged", exc_info=error)
    os._exit(EXIT_FAILED)


async def run(app: WorkerApp, ready: Callable[[], None] | None = None) -> None:
    """Run until cancelled. Calls `ready` once, when recovery is over and records flow (of no partition, while others
    have them all). Raises what Faust crashed with: it would stay, and do nothing."""
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    await app.start()
    try:
        while not app.should_stop and not _flows(app):
            await asyncio.sleep(0.05)
        if ready is not None and not app.should_stop:
            ready()
        await app.wait_until_stopped()
        raise app.crash_reason or LoyaltyError("Faust ended by itself")
    finally:
        await app.stop()
        await app.ownership.close()


def _flows(app: WorkerApp) -> bool:
    return app.tables.recovery.completed.is_set() and not app.rebalancing and not app.in_recovery
