"""One channel's messages: in order, retried, paused, given up; and what the log says of each at every moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from stream.contracts.deliveries import Delivery, Outcome
from stream.sinks.notify.channel import Busy, ChannelRefused, MessageRefused, Receipt
from stream.sinks.notify.clock import Clock
from stream.sinks.notify.lane import Lane, wait_seconds
from tests.sinks.notify.house import message
from tests.sinks.notify.news import ORG

HOUR = 3600.0


class Scripted:
    """A channel that does as it is told, then takes everything."""

    name = "discord"

    def __init__(self, *script: Exception) -> None:
        self._script = deque(script)
        self.got: list[str] = []

    async def send(self, delivery: Delivery) -> Receipt:
        self.got.append(delivery.message)
        if self._script:
            raise self._script.popleft()
        return Receipt(204)

    async def close(self) -> None: ...


class House:
    """A lane at work, and what it wrote."""

    def __init__(self, channel: Scripted) -> None:
        self.channel = channel
        self.written: list[Delivery] = []
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.now = 1_000_000.0
        clock = Clock(wall=lambda: self.now, monotonic=lambda: self.now)
        self.lane = Lane(ORG, channel, self._write, clock, give_up_seconds=HOUR, counts=self.counts)

    async def _write(self, org: str, delivery: Delivery) -> None:
        self.written.append(delivery)

    def outcomes(self, name: str) -> list[str]:
        return [each.outcome.value for each in self.written if each.message == name]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)

    async def later(self, seconds: float) -> None:
        """Turn the clock on, and let the lane see it."""
        self.now += seconds
        self.lane._wake.set()
        await asyncio.sleep(0)


@asynccontextmanager
async def at_work(*script: Exception) -> AsyncIterator[House]:
    house = House(Scripted(*script))
    task = asyncio.create_task(house.lane.run())
    try:
        yield house
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def named(name: str) -> Delivery:
    return replace(message("discord"), message=name)


async def test_a_message_is_in_the_log_before_the_remote_side_is_asked_and_its_outcome_after() -> None:
    async with at_work() as house:
        house.lane.put(named("m-1"))
        house.lane.put(named("m-2"))
        await house.until(lambda: len(house.written) == 4)
        assert [(each.message, each.outcome.value) for each in house.written] == [
            ("m-1", "pending"),
            ("m-1", "delivered"),
            ("m-2", "pending"),
            ("m-2", "delivered"),
        ]
        last = house.written[1]
        assert (last.attempts, last.status, last.first_at, last.last_at) == (1, 204, 10**9, 10**9)


async def test_a_busy_channel_is_asked_again_when_it_said_and_not_before() -> None:
    async with at_work(Busy("429", retry_after=120, status=429)) as house:
        house.lane.put(named("m-1"))
        await house.until(lambda: house.outcomes("m-1") == ["pending", "retrying"])
        retrying = house.written[-1]
        assert retrying.next_at is not None
        assert 120_000 <= retrying.next_at - house.now * 1000 <= 121_000
        await house.later(119)
        assert house.channel.got == ["m-1"]
        await house.later(3)
        await house.until(lambda: house.outcomes("m-1")[-1] == "delivered")
        assert (house.written[-1].attempts, house.written[-1].reason) == (2, None)


async def test_a_message_that_waited_before_a_restart_goes_on_waiting() -> None:
    async with at_work() as house:
        house.lane.put(replace(named("m-1"), outcome=Outcome.RETRYING, next_at=int(house.now * 1000) + 60_000))
        await house.later(59)
        assert house.channel.got == []
        await house.later(2)
        await house.until(lambda: house.outcomes("m-1") == ["pending", "delivered"])


async def test_a_message_that_nobody_takes_for_its_time_is_given_up_and_the_next_one_goes() -> None:
    async with at_work(Busy("503"), Busy("503")) as house:
        house.lane.put(named("m-1"))
        house.lane.put(named("m-2"))
        await house.until(lambda: house.outcomes("m-1") == ["pending", "retrying"])
        await house.later(HOUR)
        await house.until(lambda: house.outcomes("m-2") == ["pending", "delivered"])
        assert house.outcomes("m-1")[-1] == "given_up"
        assert next(e.reason for e in house.written if e.outcome is Outcome.GIVEN_UP) == "503; tried 2 times"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MessageRefused("too large", status=413), "too large"),
        (KeyError("a bug of ours"), "could not be made: KeyError"),
    ],
)
async def test_a_message_that_cannot_be_sent_is_kept_with_the_reason_and_holds_up_no_other(
    error: Exception, reason: str
) -> None:
    async with at_work(error) as house:
        house.lane.put(named("m-1"))
        house.lane.put(named("m-2"))
        await house.until(lambda: house.outcomes("m-2") == ["pending", "delivered"])
        assert house.outcomes("m-1") == ["pending", "given_up"]
        assert house.written[1].reason == reason


async def test_a_channel_that_refuses_pauses_until_somebody_asks_for_a_message() -> None:
    async with at_work(ChannelRefused("gone", status=410)) as house:
        house.lane.put(named("m-1"))
        house.lane.put(named("m-2"))
        await house.until(lambda: house.lane.paused is not None)
        assert house.outcomes("m-1") == ["pending", "paused"]
        await house.later(10 * HOUR)
        assert (house.channel.got, house.lane.paused, house.lane.waiting) == (["m-1"], "gone", 2)
        house.lane.ask(named("m-1"))
        await house.until(lambda: house.lane.waiting == 0)
        assert house.channel.got == ["m-1", "m-1", "m-2"]
        assert house.counts == {(ORG, "discord", "paused"): 1, (ORG, "discord", "delivered"): 2}


async def test_after_a_restart_a_paused_channel_is_tried_once_more_however_long_it_was_paused() -> None:
    async with at_work(Busy("503")) as house:
        house.lane.put(replace(named("m-1"), outcome=Outcome.PAUSED, attempts=1, first_at=1))
        await house.until(lambda: len(house.written) == 2)
        assert house.outcomes("m-1") == ["pending", "retrying"]


async def test_a_delivered_message_that_is_asked_for_goes_out_again_under_the_same_id() -> None:
    async with at_work() as house:
        house.lane.put(named("m-1"))
        await house.until(lambda: house.lane.waiting == 0)
        house.lane.ask(named("m-1"))
        await house.until(lambda: house.channel.got == ["m-1", "m-1"])


@pytest.mark.parametrize(
    ("attempts", "retry_after", "least", "most"),
    [(1, None, 0.5, 1), (4, None, 4, 8), (50, None, 150, 300), (1, 60.0, 60.5, 61)],
)
def test_waits_double_up_to_a_bound_and_honour_what_was_asked(
    attempts: int, retry_after: float | None, least: float, most: float
) -> None:
    assert all(least <= wait_seconds(attempts, retry_after) <= most for _ in range(50))
