"""Time that passes only when somebody waits for it."""

from __future__ import annotations

import asyncio

from producers.http import Clock


class HandClock:
    """A `Clock` whose sleeps return at once and move the time; `slept` lists them."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self.now = wall
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: self.now, monotonic=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
