"""Telling `runs` how far a walk is: now and then, and never so that the walk waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from producers.alleaves.sweep import Progress
from producers.http import Clock
from stream.contracts import topics
from stream.contracts.runs import RUNS, OrdersSweepProgress
from stream.engine.ports import Output, Publisher
from stream.errors import Unreachable

SOURCE = "producers"
EVERY_SECONDS = 1.0


@asynccontextmanager
async def told(
    publisher: Publisher, org: str, run: str, attempt: int, clock: Clock
) -> AsyncIterator[Callable[[Progress], None]]:
    """Gives what takes a walk's progress; while the block runs, the latest of it is published every second."""
    latest: dict[str, int] = {}

    def take(progress: Progress) -> None:
        latest[progress.phase] = progress.done

    async def tell() -> None:
        said: tuple[int, int] | None = None
        while True:
            await clock.sleep(EVERY_SECONDS)
            now = latest.get("orders", 0), latest.get("customers", 0)
            if now != said and any(now):
                said = now
                body = OrdersSweepProgress(run, attempt, *now)
                value = RUNS.encode(body, org=org, at=int(clock.wall() * 1000), source=SOURCE)
                try:
                    await publisher.publish([Output(topics.RUNS.name, org.encode(), value)])
                except Unreachable:
                    continue  # the walk itself will notice

    telling = asyncio.create_task(tell())
    try:
        yield take
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
