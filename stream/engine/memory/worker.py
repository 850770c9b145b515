"""A worker over the in-memory broker: recovers, delivers units of a chosen size, and can die anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stream.contracts.topics import Topic
from stream.engine.agent import Agent
from stream.engine.memory.log import MemoryBroker, MemoryLog, MemoryStore, Step, nothing
from stream.engine.resume import resume
from stream.engine.turn import Place
from stream.engine.unit import Partition, position_of
from stream.errors import PartitionStopped

FetchSize = Callable[[], int]


class MemoryWorker:
    """Runs agents over all partitions of a broker, as one process that owns everything.

    `stores`: local state that survived an earlier worker, by agent and partition; recovered from the
    changelog from where it stands. `fetch_size`: records in the next unit.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        agents: Sequence[tuple[Agent, Topic]],
        *,
        stores: dict[tuple[str, int], MemoryStore] | None = None,
        fetch_size: FetchSize = lambda: 1000,
        step: Step = nothing,
    ) -> None:
        self.broker = broker
        self.stores = {} if stores is None else stores
        self.agents = [agent for agent, _ in agents]
        self._fetch_size = fetch_size
        self._step = step
        self._changelogs = {agent.name: changelog for agent, changelog in agents}
        self.partitions: dict[tuple[str, int], Partition] = {}
        self.stopped: dict[tuple[str, int], str] = {}
        self.now = 0
        """Virtual time, UTC ms."""

    async def start(self) -> None:
        """Fence the predecessors, recover, and find where to go on."""
        for agent in self.agents:
            for number in range(self.broker.partitions):
                await self._open(agent, number)

    async def _open(self, agent: Agent, number: int) -> None:
        changelog = self._changelogs[agent.name].name
        log = MemoryLog(self.broker, agent.name, changelog, number, self._step)
        store = self.stores.setdefault((agent.name, number), MemoryStore())
        self._recover(store, changelog, number)
        partition = Partition(Place(agent.name, agent.source.name, number, self.broker.partitions, 0), store, log)
        self.partitions[agent.name, number] = partition
        start, end = (of(agent.source.name, number) for of in (self.broker.start, self.broker.end))
        decision = resume(position_of(store), start, end, heals=agent.heals)
        if decision.stop:
            self.stopped[agent.name, number] = decision.stop
        elif decision.new_epoch:
            await partition.begin_epoch(agent, decision.next_offset - 1, self.now)
        else:
            await partition.finish_epoch(agent)

    def _recover(self, store: MemoryStore, changelog: str, number: int) -> None:
        if store.changelog_offset >= self.broker.end(changelog, number):
            store.data.clear()
            store.changelog_offset = -1
        for record in self.broker.read(changelog, number, store.changelog_offset + 1):
            store.write({record.key or b"": record.value}, record.offset)

    async def step(self) -> int:
        """One unit per agent and partition; returns how many records were taken."""
        taken = 0
        for agent in self.agents:
            for number in range(self.broker.partitions):
                taken += await self._unit(agent, number)
        return taken

    async def step_one(self, name: str, number: int) -> int:
        """One unit of one agent's partition; returns how many records were taken."""
        (agent,) = [agent for agent in self.agents if agent.name == name]
        return await self._unit(agent, number)

    async def _unit(self, agent: Agent, number: int) -> int:
        if (agent.name, number) in self.stopped:
            return 0
        partition = self.partitions[agent.name, number]
        offset = partition.position.offset + 1
        records = self.broker.read(agent.source.name, number, offset, self._fetch_size())
        if records:
            try:
                await partition.commit(agent, records)
            except PartitionStopped as stopped:
                self.stopped[agent.name, number] = str(stopped)
        return len(records)

    async def run_until_idle(self) -> None:
        """Go on until no agent finds anything new."""
        while await self.step():
            pass
