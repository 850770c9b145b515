"""A worker as a process of its own, with the runs agent and the schedule, whose clock runs a minute a second.

Run as `python -m tests.engine.ticking_process` with its options as JSON in LOYALTY_TEST_TICKING. It prints a line for
each tick that Kafka has taken: partition and minute.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stream.agents.runs import Runs, runs
from stream.agents.schedule import ORGS, Schedule
from stream.contracts import topics
from stream.contracts.runs import RUNS
from stream.engine.faust.worker import Stateful, build, every, owned_partitions, run
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.ops.logging import configure_logging

VARIABLE = "LOYALTY_TEST_TICKING"
BEAT_SECONDS = 0.1
TIMES_FASTER = 60


class Options(msgspec.Struct, frozen=True):
    """`begun`: when the clocks of all workers were right (UTC seconds). `name`: its group membership."""

    bootstrap: str
    prefix: str
    partitions: int
    data_dir: str
    name: str
    begun: float


class Saying:
    """A publisher that prints what was published."""

    def __init__(self, publisher: KafkaPublisher) -> None:
        self._publisher = publisher

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Write all, then say so."""
        ticks = list(outputs)
        await self._publisher.publish(ticks)
        for tick in ticks:
            sys.stdout.write(f"{tick.partition} {RUNS.decode(tick.value or b'').data.minute}\n")
        sys.stdout.flush()

    async def publish_everywhere(self, output: Output) -> None:
        """Not what the schedule does."""
        raise NotImplementedError


async def main(options: Options) -> None:
    """Run until killed."""

    def now() -> int:
        return int((options.begun + (time.time() - options.begun) * TIMES_FASTER) * 1000)

    app = build(
        [Stateful(Runs(), runs, topics.RUNS_CHANGELOG)],
        bootstrap=options.bootstrap,
        prefix=options.prefix,
        partitions=options.partitions,
        data_dir=Path(options.data_dir),
        name=options.name,
    )
    async with KafkaPublisher(options.bootstrap, options.prefix, client_id=options.name) as publisher:
        schedule = Schedule(Saying(publisher), lambda: owned_partitions(app, topics.RUNS, ORGS), now)
        every(app, BEAT_SECONDS, "the schedule", schedule.beat)
        await run(app)


if __name__ == "__main__":
    configure_logging()  # to stderr: what is printed is read
    asyncio.run(main(msgspec.json.decode(os.environ[VARIABLE], type=Options)))
