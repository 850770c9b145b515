"""The timer on the real engine: the owner of a partition tells it the time, and its next owner goes on."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from stream.contracts import topics
from stream.contracts.runs import RUNS, ChangeSettings, Tick
from stream.contracts.settings import OrgSettings, Schedule
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from tests.engine.running import Reader
from tests.engine.ticking_process import VARIABLE, Options

PARTITIONS = 2
ORGS = {murmur2_partition(f"shop{n}".encode(), PARTITIONS): f"shop{n}" for n in range(12)}
Ticks = list[tuple[int, int]]


class Worker:
    """A worker process. `ticks`: (partition, minute) that it has told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.ticks: Ticks = []
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            partition, minute = line.split()
            self.ticks.append((int(partition), int(minute)))

    @property
    def partitions(self) -> set[int]:
        return {partition for partition, _ in self.ticks}

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._listening


@asynccontextmanager
async def workers(root: Path, bootstrap: str, prefix: str) -> AsyncIterator[Callable[[str], asyncio.Future[Worker]]]:
    """Gives what starts a worker; none of them is left behind."""
    begun, started = time.time(), list[Worker]()

    async def start(name: str) -> Worker:
        options = Options(bootstrap, prefix, PARTITIONS, str(root / name), name, begun)
        with (root / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.engine.ticking_process"),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=os.environ | {VARIABLE: msgspec.json.encode(options).decode()},
            )
        started.append(Worker(process))
        return started[-1]

    try:
        yield lambda name: asyncio.ensure_future(start(name))
    finally:
        for worker in started:
            await worker.kill()


def settings_of(org: str) -> Output:
    """What makes an org known to runs. Its schedule starts nothing."""
    chosen = OrgSettings(schedule=Schedule(daily_at=None))
    value = RUNS.encode(ChangeSettings(chosen, "owner"), org=org, at=int(time.time() * 1000), source="test")
    return Output(topics.RUNS.name, org.encode(), value)


async def until(enough: Callable[[], bool], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not enough():
            await asyncio.sleep(0.05)


async def test_one_of_two_workers_tells_each_partition_the_time_and_the_other_takes_over(
    kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    async with (
        KafkaPublisher(kafka, topic_prefix, client_id="test") as publisher,
        workers(tmp_path, kafka, topic_prefix) as start,
    ):
        await publisher.publish([settings_of(ORGS[0])])
        one = await start("w1")
        await until(lambda: len(one.ticks) >= 2)
        assert one.partitions == {0}, "where there is no org nobody needs the time"
        await publisher.publish([settings_of(ORGS[1])])
        await until(lambda: one.partitions == {0, 1})

        two = await start("w2")
        await until(lambda: bool(two.ticks))
        alone = len(one.ticks)
        await until(lambda: len(two.ticks) >= 5 and len(one.ticks) >= alone + 4)
        shared = one.ticks[alone:] + two.ticks
        assert len({partition for partition, _ in one.ticks[alone:]}) == len(two.partitions) == 1
        assert {partition for partition, _ in shared} == {0, 1}
        assert max(Counter(shared).values()) == 1, "each minute is told once"

        await one.kill()
        before = len(two.ticks)
        await until(lambda: {partition for partition, _ in two.ticks[before:]} == {0, 1})

    async with Reader(kafka, topic_prefix, PARTITIONS) as reader:
        events = [(r.partition, RUNS.decode(r.value).data) for r in await reader.everything(topics.RUNS)]
    told = [(partition, data.minute) for partition, data in events if isinstance(data, Tick)]
    assert set(one.ticks + two.ticks) <= set(told)
    assert all(minute % 60_000 == 0 for _, minute in told)
