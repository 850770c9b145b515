"""A vendor that is down is left alone."""

from __future__ import annotations

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


async def test_after_a_while_one_trial_decides() -> None:
    time = HandClock()
    breaker = Breaker(failures=2, open_seconds=30, clock=time.clock)
    breaker.failed()
    breaker.failed()
    time.now += 30
    breaker.admit("Vendor")
    with pytest.raises(Open):
        breaker.admit("Vendor")
    breaker.failed()
    assert breaker.is_open
    time.now += 29
    with pytest.raises(Open):
        breaker.admit("Vendor")
    time.now += 1
    breaker.admit("Vendor")
    breaker.succeeded()
    assert not breaker.is_open


async def test_a_cancelled_trial_frees_the_place_for_another() -> None:
    time = HandClock()
    breaker = Breaker(failures=1, open_seconds=30, clock=time.clock)
    breaker.failed()
    time.now += 30
    breaker.admit("Vendor")
    breaker.abandoned()
    breaker.admit("Vendor")


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
