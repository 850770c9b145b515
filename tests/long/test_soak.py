"""The whole system as real processes under trade that does not end: nothing may grow, nobody may fall over, and in
the end every profile is right (`make soak`, 10 minutes; `MINUTES=480 make soak`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.bootstrap.asking import sync
from stream.bootstrap.checking import differences
from stream.bootstrap.places import DataFolder
from stream.bootstrap.shop import ORG, Shop, shop
from stream.ops.progress import silent
from stream.sandbox.world.build import build_world
from stream.sandbox.world.options import WorldSize
from stream.sinks.reading import end_positions
from stream.sinks.views.follower import TOPICS
from stream.sinks.views.read import Views
from tests.long.saying import say
from tests.long.watching import MEGABYTE, Sample, folder_bytes, grown, roles

MINUTES = float(os.environ.get("MINUTES", "10"))
pytestmark = [pytest.mark.soak, pytest.mark.timeout(MINUTES * 60 + 600)]

TRADE_SECONDS = 2.0
SYNC_SECONDS = 60.0
LOOK_SECONDS = 30.0
MOST_GROWTH_BYTES = 16 * MEGABYTE
"""A role may grow by this much or by a tenth, whichever is more: the heap breathes, and orders are remembered."""
MOST_FILES_MORE = 40
LEVEL_SECONDS = 120.0
OURS = {"worker", "web", "poll"}


class Soak:
    """What was seen of the roles, every half minute."""

    def __init__(self, running: Shop, config: pytest.Config) -> None:
        self.running = running
        self.seen: defaultdict[str, list[Sample]] = defaultdict(list)
        self.changes = 0
        self.syncs = 0
        self._config = config
        self._began = time.monotonic()

    async def last(self, seconds: float) -> None:
        """Trade, sync and look for so long."""
        everything = (self._trade(), self._sync(), self._watch())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                for each in everything:
                    tasks.create_task(each)

    async def look(self) -> None:
        """One line of the report."""
        now = roles()
        for role, sample in now.items():
            self.seen[role].append(sample)
        about = "; ".join(f"{role} {sample}" for role, sample in sorted(now.items()))
        folder = self.running.tree.folder
        data = await asyncio.to_thread(folder_bytes, folder.root)
        state = await asyncio.to_thread(folder_bytes, folder.worker("1"))
        self._say(f"{about}; lag {await self._lag()}; data {data / MEGABYTE:.1f} MB, state {state / MEGABYTE:.1f} MB")

    async def _lag(self) -> str:
        """Records not yet taken: by the agents, by each sink."""
        behind: defaultdict[str, int] = defaultdict(int)
        async with httpx.AsyncClient(timeout=10) as client:
            for role, address in self.running.tree.folder.endpoints().items():
                if role == "kafka":
                    continue
                text = (await client.get(f"{address}/metrics")).text
                for family in text_string_to_metric_families(text):
                    for each in family.samples:
                        if each.name == "loyalty_lag_records":
                            behind[each.labels.get("topic") or "agents"] += int(each.value)
                        elif each.name == "loyalty_sink_lag_records":
                            behind[each.labels["sink"]] += int(each.value)
        return ", ".join(f"{what} {records}" for what, records in sorted(behind.items())) or "unknown"

    async def _trade(self) -> None:
        trade = self.running.sandbox.trade
        while True:
            trade.run(1, int(time.time() * 1000))
            self.changes += 1
            await asyncio.sleep(TRADE_SECONDS)

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await sync(self.running.configuration, org=ORG, customer=None, wait=True, key=None, progress=silent)
            self.syncs += 1

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def _say(self, line: str) -> None:
        say(self._config, f"+{time.monotonic() - self._began:4.0f} s  {line}")

    def summary(self) -> None:
        """What grew by how much."""
        growth = {role: grown([sample.resident for sample in samples]) for role, samples in self.seen.items()}
        about = ", ".join(f"{role} {change / MEGABYTE:+.1f} MB" for role, change in sorted(growth.items()))
        self._say(f"{self.changes} changes in the shop, {self.syncs} runs; grown since the warm-up: {about}")


@pytest.fixture
async def soak(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Soak]:
    world = build_world(7, int(time.time() * 1000), size=WorldSize.of(customers=300))
    folder = DataFolder(tmp_path / "soak")
    folder.root.mkdir()
    async with shop(folder, world, silent) as running:
        yield Soak(running, request.config)


async def test_nothing_grows_nobody_falls_over_and_every_profile_is_right(soak: Soak) -> None:
    await soak.last(MINUTES * 60)
    await soak.look()
    await settled(soak.running)
    soak.summary()
    assert soak.seen.keys() >= OURS
    for role, samples in soak.seen.items():
        check_role(role, samples)


def check_role(role: str, samples: list[Sample]) -> None:
    """One process from the beginning to the end, that takes no more of the machine than after its warm-up."""
    assert len({sample.pid for sample in samples}) == 1, f"{role} was started again"
    if role == "broker":
        return  # its heap is bounded by its own settings
    first = samples[0].resident
    assert grown([sample.resident for sample in samples]) <= max(MOST_GROWTH_BYTES, first // 10), f"{role} grows"
    assert grown([sample.files for sample in samples]) <= MOST_FILES_MORE, f"{role} opens more and more files"


async def settled(running: Shop) -> None:
    """The shop is quiet: after two runs (what is gone goes with the second) every profile is what the oracle says."""
    for _ in range(2):
        await sync(running.configuration, org=ORG, customer=None, wait=True, key=None, progress=silent)
    with contextlib.closing(Views(running.tree.folder.views)) as views:
        ends = await end_positions(running.tree.bootstrap, running.configuration.kafka.prefix, TOPICS)
        await views.wait_for(ends, timeout=LEVEL_SECONDS)
        compared, wrong = differences(running.sandbox.world, views, ORG)
    assert compared >= len(running.sandbox.world.customers)
    assert not wrong, "\n".join(map(str, wrong[:10]))
