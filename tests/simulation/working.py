"""A worker over the in-memory log that takes its turns at random, dies, and comes back with the disk it has left."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from random import Random

from stream.agents.accounts import Accounts
from stream.agents.contacts import Contacts
from stream.agents.runs import Runs
from stream.contracts import topics
from stream.engine.memory.log import MemoryBroker, MemoryStore
from stream.engine.memory.worker import MemoryWorker
from stream.errors import Fenced

AGENTS = ("accounts", "contacts", "runs")
Stores = dict[tuple[str, int], MemoryStore]


class Death(Exception):
    """The worker is gone, as with SIGKILL."""


class Worker:
    """`deaths`, `steps`: how often it died, and how many units it has taken."""

    def __init__(self, broker: MemoryBroker, draw: Random) -> None:
        self.broker = broker
        self.deaths = 0
        self.steps = 0
        self._draw = draw
        self._steps_to_live = -1
        self._stores: Stores = {}
        self._backup: Stores = {}

    async def start(self) -> None:
        """A new process takes over."""
        draw = self._draw
        self._worker = MemoryWorker(
            self.broker,
            [
                (Accounts(), topics.ACCOUNTS_CHANGELOG),
                (Contacts(), topics.CONTACTS_CHANGELOG),
                (Runs(), topics.RUNS_CHANGELOG),
            ],
            stores=self._stores,
            fetch_size=lambda: draw.choice((1, 2, 5, 50, 500)),
            step=self._step,
        )
        await self._worker.start()

    def doom(self) -> None:
        """Die at one of the next steps of a commit."""
        self._steps_to_live = self._draw.randrange(12)

    @property
    def stopped(self) -> dict[tuple[str, int], str]:
        """Partitions that do not go on, and why."""
        return self._worker.stopped

    @property
    def idle(self) -> bool:
        """Whether everything has been taken."""
        return not any(
            self.broker.read(partition.place.source, partition.place.partition, partition.position.offset + 1, 1)
            for partition in self._worker.partitions.values()
        )

    async def run(self) -> None:
        """Take turns until cancelled."""
        resting = 0
        while True:
            await asyncio.sleep(self._draw.expovariate(200) if resting < 10 else 0.2)
            agent, number = self._draw.choice(AGENTS), self._draw.randrange(self.broker.partitions)
            try:
                taken = await self._worker.step_one(agent, number)
            except Death:
                await self._succeeded()
                continue
            self.steps += bool(taken)
            resting = 0 if taken or (resting >= 10 and not self.idle) else resting + 1

    async def finish(self) -> None:
        """Take everything there is, without dying."""
        self._steps_to_live = -1
        await self._worker.run_until_idle()

    async def _succeeded(self) -> None:
        """The next worker finds the disk as it was, as it was some time ago, or in part."""
        self.deaths += 1
        self._steps_to_live = -1
        predecessor, draw = self._worker, self._draw
        kept = draw.choice((0.0, 0.5, 1.0))
        disk = self._backup if draw.random() < 0.3 else self._stores
        self._stores = {place: store for place, store in disk.items() if draw.random() < kept}
        self._backup = copy.deepcopy(self._stores)
        await self.start()
        await _is_fenced(predecessor, draw)

    def _step(self, step: str) -> None:
        if self._steps_to_live == 0:
            raise Death(step)
        self._steps_to_live -= self._steps_to_live > 0


async def _is_fenced(predecessor: MemoryWorker, draw: Random) -> None:
    """It was only paused, and goes on: it can take nothing any more."""
    agent, number = draw.choice(AGENTS), draw.randrange(predecessor.broker.partitions)
    with contextlib.suppress(Fenced):
        assert await predecessor.step_one(agent, number) == 0, "a worker that was replaced took records"
