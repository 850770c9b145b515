"""The poller killed and paused at random while the shop trades: nothing is lost or doubled (`make chaos`)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from aiokafka import AIOKafkaConsumer

from stream.bootstrap.asking import sync
from stream.bootstrap.checking import differences
from stream.bootstrap.places import DataFolder
from stream.bootstrap.shop import ORG, Shop, shop
from stream.contracts.entries import ENTRIES
from stream.ops.progress import silent
from stream.sandbox.failures import Conditions
from stream.sandbox.world.build import build_world
from stream.sinks.reading import end_positions
from stream.sinks.views.follower import TOPICS
from stream.sinks.views.read import Views
from tests.end_to_end.programs import below

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

KILLS = 20
PAUSES = 3
PAUSE_SECONDS = 13.0
"""Longer than the group's session: the paused poller has lost its place when it wakes up."""


async def test_a_poller_killed_and_paused_at_random_loses_and_doubles_nothing(tmp_path: Path) -> None:
    draw = Random()
    world = build_world(draw.randrange(1000), int(time.time() * 1000))
    slow = Conditions(latency_ms=100)
    async with shop(DataFolder(tmp_path), world, silent, alleaves=slow, with_firestore=False) as running:
        for number in range(KILLS + PAUSES):
            running.sandbox.trade.run(draw.randrange(4), int(time.time() * 1000))
            await asyncio.sleep(draw.uniform(0.5, 4))
            await _disturb(pause=number % 7 == 6)
        for _ in range(2):  # an order whose move nobody saw leaves its former customer at the second complete walk
            await sync(running.configuration, org=ORG, customer=None, wait=True, key=None, progress=silent)
        await _right(running)


async def _disturb(*, pause: bool) -> None:
    poller = None
    while poller is None:  # between a kill and its restart there is none
        poller = next((pid for pid, line in below(os.getpid()) if "stream.cli poll" in line), None)
        await asyncio.sleep(0.02)
    if not pause:
        os.kill(poller, signal.SIGKILL)
        return
    os.kill(poller, signal.SIGSTOP)
    await asyncio.sleep(PAUSE_SECONDS)
    os.kill(poller, signal.SIGCONT)


async def _right(running: Shop) -> None:
    views = Views(running.tree.folder.views)
    prefix = running.configuration.kafka.prefix
    await views.wait_for(await end_positions(running.tree.bootstrap, prefix, TOPICS), timeout=60)
    _, wrong = differences(running.sandbox.world, views, ORG)
    assert [str(each) for each in wrong] == []
    views.close()
    entries = await _entries(running.tree.bootstrap, f"{prefix}entries")
    assert [name for name, times in Counter(entries).items() if times > 1] == []


async def _entries(bootstrap: str, topic: str) -> list[str]:
    """Ids of all entries that a `read_committed` reader sees."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        found: list[str] = []
        while batch := await consumer.getmany(timeout_ms=2000):
            found += [ENTRIES.decode(r.value).data.id for records in batch.values() for r in records]
        return found
    finally:
        await consumer.stop()
