"""How often and how many at once."""

from __future__ import annotations

import asyncio

import pytest

from producers.http import Budget, Rate
from tests.producers.hand_clock import HandClock


async def starts(budget: Budget, time: HandClock, calls: int) -> list[float]:
    began = time.now
    at: list[float] = []

    async def call() -> None:
        async with budget.slot():
            at.append(time.now - began)

    await asyncio.gather(*(call() for _ in range(calls)))
    return at


@pytest.mark.parametrize(
    ("rates", "calls", "at_least"),
    [
        ([Rate(10, 1)], 10, 0.0),
        ([Rate(10, 1)], 11, 1.0),
        ([Rate(10, 1)], 45, 4.0),
        ([Rate(5, 1), Rate(120, 60), Rate(2000, 3600)], 121, 60.0),
        ([Rate(5, 1), Rate(120, 60), Rate(2000, 3600)], 2001, 3600.0),
        ([Rate.per_second(0.5)], 3, 4.0),
        ([Rate(5, 1), Rate(1000, 60)], 6, 1.0),
        ([Rate(5, 1), Rate(3, 60)], 4, 60.0),
    ],
)
async def test_the_last_of_so_many_calls_starts_no_earlier_and_hardly_later(
    rates: list[Rate], calls: int, at_least: float
) -> None:
    time = HandClock()
    last = max(await starts(Budget(rates, at_once=10, clock=time.clock), time, calls))
    assert at_least <= last <= at_least * 1.02 + 0.02


async def test_no_window_of_a_second_holds_more_than_its_limit() -> None:
    time = HandClock()
    at = await starts(Budget([Rate(10, 1)], at_once=50, clock=time.clock), time, 95)
    assert max(sum(start <= other < start + 1 for other in at) for start in at) == 10


async def test_no_more_are_in_flight_than_allowed() -> None:
    budget = Budget([Rate(1000, 1)], at_once=3, clock=HandClock().clock)
    in_flight: set[int] = set()
    seen: list[int] = []

    async def call(number: int) -> None:
        async with budget.slot():
            in_flight.add(number)
            seen.append(len(in_flight))
            await asyncio.sleep(0)
            in_flight.discard(number)

    await asyncio.gather(*(call(n) for n in range(20)))
    assert max(seen) == 3


async def test_a_pause_holds_every_call_back() -> None:
    time = HandClock()
    budget = Budget([Rate(10, 1)], at_once=10, clock=time.clock)
    budget.pause(30)
    budget.pause(5)
    assert min(await starts(budget, time, 3)) == pytest.approx(30)


async def test_what_is_left_is_known_by_window_and_comes_back_with_time() -> None:
    time = HandClock()
    budget = Budget([Rate(5, 1), Rate(120, 60)], at_once=10, clock=time.clock)
    assert budget.left() == {1.0: 5, 60.0: 120}
    await starts(budget, time, 4)
    assert budget.left() == {1.0: 1, 60.0: 116}
    time.now += 1.001
    assert budget.left() == {1.0: 5, 60.0: 116}
    time.now += 60
    assert budget.left() == {1.0: 5, 60.0: 120}
