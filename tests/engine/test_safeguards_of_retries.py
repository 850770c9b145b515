"""What can be tried again is, from the stored state and not for ever; whatever else fails ends the process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

from faust.types.tuples import TP

from stream.engine import trying
from stream.engine.faust import worker as faust_worker
from stream.engine.faust.log import KafkaLog
from stream.engine.faust.ownership import Owned, Ownership
from stream.engine.memory.log import MemoryTransaction
from stream.engine.state import POSITION, Position
from stream.engine.turn import Turn
from stream.engine.unit import Partition
from stream.errors import Unavailable
from tests.engine.counting import Bench, same_as_undisturbed
from tests.engine.safeguarding import Patch, Safeguard, each
from tests.engine.test_unit import Flaky, amounts

REBALANCE_SECONDS = 60.0
"""Faust's `broker_rebalance_timeout`, which `worker.build` leaves as it is."""
BUSY = Unavailable("busy")
HERE = TP("t.facts", 0)


class Waits:
    """Sleeps that take no time; how long they would have taken."""

    def __init__(self, patch: Patch) -> None:
        self.seconds = 0.0
        patch.setattr(trying, "asyncio", SimpleNamespace(sleep=self.sleep, get_running_loop=lambda: self))

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def time(self) -> float:
        """The loop's clock, which waits alone move."""
        return self.seconds


@contextlib.contextmanager
def waiting() -> Iterator[Waits]:
    with Patch.context() as patch:
        yield Waits(patch)


# A retriable error aborts the transaction and repeats the unit.


async def busy_for_a_while() -> None:
    for step in ("send", "store", "commit"):
        bench = Bench()
        amounts(bench)
        with waiting(), contextlib.suppress(Unavailable):
            await bench.run(fetch_size=lambda: 5, step=Flaky(step, 3, BUSY))
        await same_as_undisturbed(bench, amounts)


def tried_once(patch: Patch) -> None:
    async def persist(write: Callable[[], Awaitable[int]], *_: Any) -> int:
        return await write()

    patch.setattr(trying, "persist", persist)


def not_aborted(patch: Patch) -> None:
    """What is tried again joins what was left open, as in a producer that goes on with its transaction."""
    left: dict[int, MemoryTransaction] = {}
    commit = MemoryTransaction.commit

    async def write(self: Partition, outputs: Any, changes: Any) -> int:
        transaction = left.pop(id(self), None) or cast(MemoryTransaction, await self.log.begin())
        left[id(self)] = transaction
        await transaction.send(outputs)
        await transaction.store(changes)
        offset = await commit(transaction)
        del left[id(self)]
        return offset

    patch.setattr(Partition, "_write", write)


# It is repeated from the stored state.


async def busy_for_too_long() -> None:
    """The process ends; the next one, on the same disk, must find nothing of what was never committed."""
    bench = Bench()
    amounts(bench)
    with waiting(), contextlib.suppress(Unavailable):
        await bench.run(fetch_size=lambda: 5, step=Flaky("commit", 1000, BUSY))
    await bench.run(fetch_size=lambda: 5)
    await same_as_undisturbed(bench, amounts)


def stored_before_it_is_committed(patch: Patch) -> None:
    async def transact(self: Partition, turn: Turn, position: Position) -> None:
        turn.state.put(POSITION, position)
        turn.keep()
        outputs, changes = turn.take_outputs(), dict(turn.state.changes())
        self.store.write(changes, -1)
        self.position = position
        await self._write(outputs, changes)

    patch.setattr(Partition, "_transact", transact)


# Within a bound below the rebalance timeout.


async def busy_for_ever() -> None:
    bench = Bench()
    amounts(bench)
    with waiting() as waits, contextlib.suppress(Unavailable):
        await bench.run(step=Flaky("commit", 1000, BUSY))
    assert 0 < waits.seconds < REBALANCE_SECONDS


def without_a_bound(patch: Patch) -> None:
    patch.setattr(trying, "BACKOFF_SECONDS", (5.0,) * 100)
    patch.setattr(trying, "TRYING_SECONDS", float("inf"))


# Everything else exits the process at once, without committing.


async def something_else_fails() -> None:
    bench = Bench()
    amounts(bench)
    with waiting() as waits, contextlib.suppress(OSError):
        await bench.run(step=Flaky("store", 1, OSError("no space left on device")))
    assert (bench.said(), waits.seconds) == ({}, 0)


def whatever_fails_is_repeated(patch: Patch) -> None:
    async def persist(write: Callable[[], Awaitable[int]], *_: Any) -> int:
        while True:
            with contextlib.suppress(Exception):
                return await write()
            await asyncio.sleep(0)

    patch.setattr(trying, "persist", persist)


async def a_unit_fails_in_the_worker() -> None:
    left: list[BaseException] = []
    owner = Ownership("nowhere:1", "t.", 1, left.append)
    owner._owned[HERE] = Owned(cast(KafkaLog, None))
    await owner.commit(HERE, _fails)
    await owner.settle()
    await asyncio.sleep(0)
    assert [str(error) for error in left] == ["no space left on device"]


async def _fails() -> None:
    raise OSError("no space left on device")


def failures_are_only_forgotten(patch: Patch) -> None:
    patch.setattr(Ownership, "_committed", lambda self, task: task.exception())


async def the_agents_loop_fails() -> None:
    left: list[BaseException] = []
    with Patch.context() as patch:
        patch.setattr(faust_worker, "_leave", left.append)
        with contextlib.suppress(OSError):
            await faust_worker._exit_on_failure(lambda stream: _fails())(None)
    assert [str(error) for error in left] == ["no space left on device"]


def faust_restarts_the_loop(patch: Patch) -> None:
    """And acknowledges the event that it failed at."""
    patch.setattr(faust_worker, "_exit_on_failure", lambda process: process)


every_safeguard = each(
    Safeguard("what can be tried again is", busy_for_a_while, tried_once),
    Safeguard("what failed is aborted", busy_for_a_while, not_aborted),
    Safeguard("a unit is stored once it is committed", busy_for_too_long, stored_before_it_is_committed),
    Safeguard("it is not tried for ever", busy_for_ever, without_a_bound),
    Safeguard("nothing else is tried again", something_else_fails, whatever_fails_is_repeated),
    Safeguard("a unit that fails ends the process", a_unit_fails_in_the_worker, failures_are_only_forgotten),
    Safeguard("a loop that fails ends the process", the_agents_loop_fails, faust_restarts_the_loop),
)


@every_safeguard
async def test_a_safeguard_holds(safeguard: Safeguard) -> None:
    await safeguard.holds()


@every_safeguard
async def test_a_safeguard_is_missed_when_it_is_taken_out(safeguard: Safeguard, monkeypatch: Patch) -> None:
    await safeguard.is_missed(monkeypatch)
