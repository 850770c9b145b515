"""Where an input is read from: it is sought once per assignment, and what was fetched before that is dropped."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP

from stream.contracts import topics
from stream.engine.faust.consumer import UnitConsumer
from tests.engine.fetching import HERE, Fetcher, Fetching, Included
from tests.engine.safeguarding import Patch, Safeguard, each

STOCK = ThreadDelegateConsumer._getmany


@asynccontextmanager
async def fetching(log: Sequence[int], committed: int, included: Included) -> AsyncIterator[tuple[Fetching, Fetcher]]:
    with tempfile.TemporaryDirectory() as folder:
        fetcher = Fetcher(log, committed)
        yield Fetching(Path(folder), fetcher, included), fetcher


async def the_groups_offset_is_ahead_of_state() -> None:
    """As a power cut leaves it, which takes one log's tail and not the other's: reading on there would lose 0 to 4."""
    async with fetching(range(8), 5, Included(-1)) as (worker, _):
        await worker.assigned()
        delivered = await worker.delivered()
        await worker.sought()
        delivered += await worker.delivered()
    assert delivered == [*range(8)]


async def the_same_after_a_rebalance() -> None:
    included = Included(-1)
    async with fetching(range(8), 5, included) as (worker, fetcher):
        await worker.assigned()
        await worker.sought()
        delivered = await worker.delivered(2)
        included.position = delivered[-1]
        await worker.assigned()
        await fetcher.seek_to_committed()  # Faust does that
        delivered += await worker.delivered()
        await worker.sought()
        delivered += await worker.delivered()
    assert delivered == [*range(8)]


async def a_log_with_gaps() -> None:
    """Transaction markers and aborted records: the first record after a seek to 3 lies beyond it, for ever."""
    async with fetching([0, 1, 5, 6, 9], 0, Included(2)) as (worker, fetcher):
        await worker.assigned()
        await worker.sought()
        delivered = await worker.delivered()
    assert (delivered, fetcher.seeks) == ([5, 6, 9], [3])


def fetched_before_the_seek_is_delivered(patch: Patch) -> None:
    patch.setattr(UnitConsumer, "_getmany", STOCK)


def sought_before_the_rebalance_is_enough(patch: Patch) -> None:
    async def revoked(self: Any, partitions: set[TP]) -> None:
        await driver.Consumer.on_partitions_revoked(self, partitions)

    patch.setattr(UnitConsumer, "on_partitions_revoked", revoked)


def inputs_are_not_sought(patch: Patch) -> None:
    async def perform_seek(self: Any) -> None:
        await driver.Consumer.perform_seek(self)
        self._sought |= self.assignment()

    patch.setattr(UnitConsumer, "perform_seek", perform_seek)


def sought_at_every_gap(patch: Patch) -> None:
    plain = UnitConsumer._getmany

    async def getmany(self: Any, active_partitions: set[TP] | None, timeout: float) -> Any:
        fetched = await plain(self, active_partitions, timeout)
        due = await self._positions.seek_targets({HERE}, self)
        for tp, records in fetched.items():
            if records[0].offset > self._yielded.get(tp, due[tp] - 1) + 1:
                await self.seek(tp, due[tp])
                return {}
        return fetched

    patch.setattr(UnitConsumer, "_getmany", getmany)


every_safeguard = each(
    Safeguard(
        "what was fetched before the seek is dropped",
        the_groups_offset_is_ahead_of_state,
        fetched_before_the_seek_is_delivered,
    ),
    Safeguard("inputs are sought where state ends", the_groups_offset_is_ahead_of_state, inputs_are_not_sought),
    Safeguard("each assignment is sought anew", the_same_after_a_rebalance, sought_before_the_rebalance_is_enough),
    Safeguard("an input is sought once per assignment", a_log_with_gaps, sought_at_every_gap),
)


@every_safeguard
async def test_a_safeguard_holds(safeguard: Safeguard) -> None:
    await safeguard.holds()


@every_safeguard
async def test_a_safeguard_is_missed_when_it_is_taken_out(safeguard: Safeguard, monkeypatch: Patch) -> None:
    await safeguard.is_missed(monkeypatch)


async def test_only_what_a_stream_reads_is_watched_for_standing_still() -> None:
    """Of a changelog, which nobody reads once it is recovered, Faust would report an error every five seconds."""
    async with fetching([], 0, Included(-1)) as (worker, fetcher):
        for topic in (topics.FACTS, topics.ACCOUNTS_CHANGELOG):
            worker.watch(topic)
    assert fetcher.watched == [f"t.{topics.FACTS.name}"]
