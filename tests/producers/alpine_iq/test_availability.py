from __future__ import annotations

import asyncio

from producers.alpine_iq.availability import PROBE_SECONDS, Availability
from producers.cursors import MemoryCursors
from stream.contracts.runs import ProviderRecovered, ProviderUnavailable
from stream.errors import Unavailable
from stream.sandbox.failures import Conditions
from tests.producers.alpine_iq.at_the_sandbox import ORG, producer
from tests.producers.hand_clock import HandClock
from tests.recording import RecordingPublisher


async def test_only_changes_are_told() -> None:
    time, publisher = HandClock(wall=1000), RecordingPublisher()
    availability = Availability(ORG, publisher, MemoryCursors(), time.clock)
    await availability.answered()
    await availability.failed(Unavailable("no answer for +15551234567"))
    time.now = 1100
    await availability.failed(Unavailable("still not"))
    await availability.answered()
    await availability.answered()

    assert publisher.bodies("runs") == [
        ProviderUnavailable(since=1_000_000, reason="no answer for …"),
        ProviderRecovered(since=1_100_000),
    ]
    assert [record.key for record in publisher.of("runs")] == [b"brand_example"] * 2


async def test_a_successor_knows_what_was_told() -> None:
    publisher, cursors = RecordingPublisher(), MemoryCursors()
    await Availability(ORG, publisher, cursors).failed(Unavailable("down"))
    successor = Availability(ORG, publisher, cursors)
    await successor.failed(Unavailable("down"))
    await successor.answered()
    await Availability(ORG, publisher, cursors).answered()
    assert [type(body) for body in publisher.bodies("runs")] == [ProviderUnavailable, ProviderRecovered]


async def test_a_provider_that_is_down_is_asked_every_minute_until_it_is_back() -> None:
    async with producer(conditions=Conditions(outage=True)) as alpine:
        await alpine.availability.failed(Unavailable("down"))
        watching = asyncio.create_task(alpine.availability.watch(alpine.client))
        async with asyncio.timeout(10):
            while alpine.time.slept.count(PROBE_SECONDS) < 3:
                await asyncio.sleep(0)
            alpine.sandbox.alpine_iq.conditions = Conditions()
            while len(alpine.publisher.of("runs")) < 2:
                await asyncio.sleep(0)
        calls = sum(alpine.sandbox.alpine_iq.traffic.calls.values())
        for _ in range(100):
            await asyncio.sleep(0)
        assert sum(alpine.sandbox.alpine_iq.traffic.calls.values()) == calls, "left alone while it is up"
        watching.cancel()
    assert [type(body) for body in alpine.publisher.bodies("runs")] == [ProviderUnavailable, ProviderRecovered]
