"""A vendor that is down is left alone."""

from __future__ import annotations

import asyncio

import pytest

from producers.http import Breaker, Open
from stream.errors import Refused, Unavailable
from tests.producers.hand_clock import HandClock
from tests.producers.scripted import Script, answer, vendor_http


async def test_failures_in_a_row_open_it_and_then_nothing_is_sent() -> None:
    script, time = Script(answer(500)), HandClock()
    async with vendor_http(script, time, breaker=Breaker(failures=5, open_seconds=300, clock=time.clock)) as http:
        with pytest.raises(Unavailable):
            await http.call("GET", "/thing")
        with pytest.raises(Open) as caught:
            await http.call("GET", "/thing")
    assert len(script.requests) == 5
    assert caught.value.retry_after == pytest.approx(300)
    assert str(caught.value).startswith("Vendor failed 5 times in a row and is left alone for a while (last: Vendor")
    assert "500" in str(caught.value), "people read why"


async def opened(time: HandClock) -> Breaker:
    """A breaker that is half-open now."""
    breaker = Breaker(failures=2, open_seconds=30, clock=time.clock)
    breaker.failed()
    breaker.failed()
    time.now += 29
    with pytest.raises(Open) as caught:
        await breaker.admit("Vendor")
    assert caught.value.retry_after == pytest.approx(1)
    time.now += 1
    return breaker


async def test_a_trial_that_succeeds_lets_those_pass_who_waited_for_it() -> None:
    breaker = await opened(HandClock())
    await breaker.admit("Vendor")
    others = [asyncio.ensure_future(breaker.admit("Vendor")) for _ in range(9)]
    await asyncio.sleep(0)
    assert not any(other.done() for other in others)
    breaker.succeeded()
    await asyncio.gather(*others)
    assert not breaker.is_open


async def test_a_trial_that_fails_turns_away_those_who_waited_for_it() -> None:
    breaker = await opened(HandClock())
    await breaker.admit("Vendor")
    other = asyncio.ensure_future(breaker.admit("Vendor"))
    await asyncio.sleep(0)
    breaker.failed()
    with pytest.raises(Open):
        await other


async def test_a_cancelled_trial_leaves_its_place_to_another() -> None:
    breaker = await opened(HandClock())
    await breaker.admit("Vendor")
    others = [asyncio.ensure_future(breaker.admit("Vendor")) for _ in range(2)]
    await asyncio.sleep(0)
    breaker.abandoned()
    await asyncio.sleep(0)
    assert [other.done() for other in others] == [True, False]
    breaker.succeeded()
    await asyncio.gather(*others)


@pytest.mark.parametrize(("status", "error"), [(429, Unavailable), (400, Refused), (403, Refused)])
async def test_a_vendor_that_says_no_is_not_down(status: int, error: type[Exception]) -> None:
    time = HandClock()
    async with vendor_http(Script(answer(status)), time, breaker=Breaker(failures=1, clock=time.clock)) as http:
        for _ in range(3):
            with pytest.raises(error):
                await http.call("GET", "/thing")
        assert not http.breaker.is_open


async def test_a_success_starts_the_count_again() -> None:
    steps = [answer(500), answer(500), answer(200), answer(500), answer(500), answer(200)]
    time = HandClock()
    async with vendor_http(Script(*steps), time, breaker=Breaker(failures=3, clock=time.clock)) as http:
        await http.call("GET", "/thing")
        await http.call("GET", "/thing")
        assert not http.breaker.is_open


async def test_who_can_wait_is_let_through_when_calls_are_let_pass_again() -> None:
    script, time = Script(answer(500), answer(500), answer(200)), HandClock()
    async with vendor_http(script, time, breaker=Breaker(failures=2, open_seconds=30, clock=time.clock)) as http:
        with pytest.raises(Unavailable):
            await http.call("GET", "/thing")
        opened_at = time.now
        await http.until_admitted()
        assert time.now == pytest.approx(opened_at + 30)
        await http.call("GET", "/thing")
        await http.until_admitted()
        assert time.now == pytest.approx(opened_at + 30)
