"""How often, and how many at once, one org may call one vendor."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import pyrate_limiter as pyrate

from producers.http.clock import Clock


class Rate(NamedTuple):
    """At most `limit` calls in any `seconds`."""

    limit: int
    seconds: float

    @classmethod
    def per_second(cls, calls: float) -> Rate:
        """`calls` a second, also as a fraction: 0.5 is one call in two seconds."""
        limit = max(1, int(calls))
        return cls(limit, limit / calls)


class Budget:
    """Slots for calls: at most `at_once` in flight, within all `rates` (sliding windows). Waiters go in order.

    `calls` counts the requests that `VendorHttp` sent, `errors` what went wrong by kind (`connection`, `timeout`,
    `server`, `throttled`, `unreadable`, `refused`): both only rise, for metrics.
    """

    def __init__(self, rates: Sequence[Rate], *, at_once: int, clock: Clock | None = None) -> None:
        self.at_once = at_once
        self.calls = 0
        self.errors: Counter[str] = Counter()
        self._clock = clock or Clock()
        # The bucket alone: pyrate's Limiter would add threads and a clock of its own.
        self._bucket = pyrate.InMemoryBucket(_binding(rates))
        self._slots = asyncio.Semaphore(at_once)
        self._turn = asyncio.Lock()
        self._paused_until = 0.0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits for a free slot, then for the rates. The slot is held while the call is in flight."""
        async with self._slots:
            async with self._turn:
                await self._wait_for_rates()
            yield

    def pause(self, seconds: float) -> None:
        """The vendor asked to be left alone: nobody gets a slot for that long."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def left(self) -> dict[float, int]:
        """How many calls may start at once now, by the length of each window in seconds."""
        now_ms = self._clock.monotonic() * 1000
        started = [item.timestamp for item in self._bucket.items]
        return {
            rate.interval / 1000: rate.limit - sum(at > now_ms - rate.interval for at in started)
            for rate in self._bucket.rates
        }

    async def _wait_for_rates(self) -> None:
        while (pause := self._paused_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(pause)
        while (wait_ms := self._take()) > 0:
            await self._clock.sleep(wait_ms / 1000)

    def _take(self) -> int:
        """0 when a call may start now, else the milliseconds until one may."""
        now_ms = int(self._clock.monotonic() * 1000)
        item = pyrate.RateItem("call", now_ms)
        self._bucket.leak(now_ms)
        if self._bucket.put(item):
            return 0
        wait = self._bucket.waiting(item)
        assert isinstance(wait, int), "an in-memory bucket answers at once"
        return max(1, wait)


def _binding(rates: Sequence[Rate]) -> list[pyrate.Rate]:
    """The rates without those that another one implies; pyrate refuses a list with such."""
    return [
        pyrate.Rate(rate.limit, max(1, round(rate.seconds * 1000)))
        for rate in sorted(set(rates), key=lambda rate: rate.seconds)
        if not any(_implies(other, rate) for other in set(rates) if other != rate)
    ]


def _implies(stricter: Rate, rate: Rate) -> bool:
    if stricter.seconds >= rate.seconds:
        return stricter.limit <= rate.limit
    return stricter.limit / stricter.seconds <= rate.limit / rate.seconds
