"""Units of several partitions beside each other, and what must not begin any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

import pytest
import structlog
from faust.types.tuples import TP

from stream.engine.faust.log import KafkaLog
from stream.engine.faust.ownership import Owned, Ownership

A, B = TP("facts", 0), TP("facts", 1)


class Units:
    """Units that end when they are told to; `begun` in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    def unit(self, name: str, then: Callable[[], None] = lambda: None) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            self.begun.append(name)
            await self.ends.setdefault(name, asyncio.Event()).wait()
            then()

        return run


@pytest.fixture
def failures() -> list[BaseException]:
    return []


@pytest.fixture
def ownership(failures: list[BaseException]) -> Ownership:
    owner = Ownership("nowhere:9092", "t.", 2, failures.append)
    for tp in (A, B):
        owner._owned[tp] = Owned(cast(KafkaLog, None))
    return owner


async def begun(waiting: Awaitable[None]) -> asyncio.Task[None]:
    """Let it run as far as it comes."""
    task = asyncio.ensure_future(waiting)
    for _ in range(5):
        await asyncio.sleep(0)
    return cast("asyncio.Task[None]", task)


async def test_partitions_commit_beside_each_other_and_each_in_order(ownership: Ownership) -> None:
    units = Units()
    await ownership.commit(A, units.unit("a1"))
    await ownership.commit(B, units.unit("b1"))
    second = await begun(ownership.commit(A, units.unit("a2")))
    assert units.begun == ["a1", "b1"]
    units.ends["a1"].set()
    await second
    await asyncio.sleep(0)
    assert units.begun == ["a1", "b1", "a2"]


async def test_what_waits_behind_a_unit_that_stopped_its_partition_is_dropped(ownership: Ownership) -> None:
    """It lies behind the record that stopped it: to commit it would skip that record."""
    units = Units()
    await ownership.commit(A, units.unit("a1", then=lambda: ownership.stop(A, "too many dead letters")))
    second = await begun(ownership.commit(A, units.unit("a2")))
    units.ends["a1"].set()
    await second
    await ownership.commit(B, units.unit("b1"))
    await asyncio.sleep(0)
    assert units.begun == ["a1", "b1"]


async def test_settling_waits_for_what_runs_and_lets_nothing_begin(ownership: Ownership) -> None:
    units = Units()
    await ownership.commit(A, units.unit("a1"))
    waiting = await begun(ownership.commit(A, units.unit("a2")))
    settling = await begun(ownership.settle())
    assert not settling.done()
    units.ends["a1"].set()
    await asyncio.gather(settling, waiting)
    await ownership.commit(B, units.unit("b1"))
    await asyncio.sleep(0)
    assert units.begun == ["a1"]


async def test_a_unit_that_fails_is_told_and_not_forgotten(ownership: Ownership, failures: list[BaseException]) -> None:
    def fail() -> None:
        raise OSError("no space left on device")

    units = Units()
    await ownership.commit(A, units.unit("a1", then=fail))
    await asyncio.sleep(0)
    units.ends["a1"].set()
    await ownership.settle()
    await asyncio.sleep(0)
    assert [str(error) for error in failures] == ["no space left on device"]


async def test_what_is_logged_of_a_unit_to_its_very_end_names_it(failures: list[BaseException]) -> None:
    """Each unit has a context of its own: those of other partitions beside it name themselves."""
    named: list[object] = []

    def end(error: BaseException) -> None:
        failures.append(error)
        named.append(structlog.contextvars.get_contextvars().get("unit"))

    owner = Ownership("nowhere:9092", "t.", 2, end)
    for tp in (A, B):
        owner._owned[tp] = Owned(cast(KafkaLog, None))

    async def failing(name: str) -> None:
        structlog.contextvars.bind_contextvars(unit=name)
        await asyncio.sleep(0)
        named.append(structlog.contextvars.get_contextvars()["unit"])
        raise OSError(name)

    await owner.commit(A, lambda: failing("facts/0/1-9"))
    await owner.commit(B, lambda: failing("facts/1/4-4"))
    await owner.settle()
    await asyncio.sleep(0)
    assert [str(error) for error in failures] == ["facts/0/1-9", "facts/1/4-4"]
    assert named == ["facts/0/1-9", "facts/1/4-4"] * 2
    assert "unit" not in structlog.contextvars.get_contextvars()
