"""Both sinks behind one face, for the contract suite."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from stream.engine.ports import Output
from stream.sinks.firestore.connection import connect
from stream.sinks.firestore.sink import FirestoreSink
from stream.sinks.reading import Positions
from stream.sinks.views.follower import ViewsFollower
from stream.sinks.views.read import Views
from tests.sinks.kafka_log import KafkaLog

PATIENCE_SECONDS = 30


class Shown(NamedTuple):
    """What the contract looks at."""

    points: int
    version: tuple[int, int]


class SinkUnderTest(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def progressed(self, offsets: int) -> None:
        """Return when so many offsets have been taken in all."""

    async def level(self) -> None:
        """Return when everything in the log has been taken."""

    async def shown(self, org: str, customer: str) -> Shown | None: ...
    async def lose_position(self) -> None:
        """Forget how far it was, as after a disaster; the sink is stopped."""


class NoPublisher:
    """Takes dead letters and counts them."""

    def __init__(self) -> None:
        self.published: list[Output] = []

    async def publish(self, outputs: Iterable[Output]) -> None:
        self.published += outputs

    async def publish_everywhere(self, output: Output) -> None:
        raise AssertionError("sinks publish nothing partition-wide")


class Running:
    """A sink's task, started and cancelled. An error of its own surfaces when it is waited for."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def begin(self, run: object) -> None:
        self._task = asyncio.create_task(run)  # type: ignore[arg-type]

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def until(self, condition: object) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():  # type: ignore[operator]
                if self._task is not None and self._task.done():
                    self._task.result()
                await asyncio.sleep(0.005)


class ViewsUnderTest(Running):
    def __init__(self, log: KafkaLog, path: Path) -> None:
        super().__init__()
        self._log = log
        self._path = path
        self.views = Views(path)

    async def start(self) -> None:
        follower = ViewsFollower(self._log.bootstrap, self._log.prefix, self._path, batch_records=20)
        self.begin(follower.run())
        self._follower = follower
        await follower.opened()

    async def stop(self) -> None:
        await self.end()

    async def progressed(self, offsets: int) -> None:
        await self.until(lambda: sum(self.views.positions().values()) >= offsets)

    async def level(self) -> None:
        ends = await self._log.ends()
        await self.until(lambda: self._follower.ready and self.views.reached(ends))

    async def shown(self, org: str, customer: str) -> Shown | None:
        profile = self.views.profile(org, customer)
        return None if profile is None else Shown(profile.points, (profile.epoch, profile.version))

    async def lose_position(self) -> None:
        self.views.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


class FirestoreUnderTest(Running):
    def __init__(self, log: KafkaLog, project: str, emulator_host: str) -> None:
        super().__init__()
        self._log = log
        self._project = project
        self._emulator_host = emulator_host
        self._sink: FirestoreSink | None = None
        self._generation = 0

    async def start(self) -> None:
        self._sink = FirestoreSink(
            self._log.bootstrap,
            self._log.prefix,
            NoPublisher(),
            project=self._project,
            emulator_host=self._emulator_host,
            batch_records=20,
            group=f"firestore-{self._generation}",
        )
        self.begin(self._sink.run())

    async def stop(self) -> None:
        await self.end()

    def _positions(self) -> Positions:
        return self._sink.positions() if self._sink else {}

    async def progressed(self, offsets: int) -> None:
        await self.until(lambda: sum(self._positions().values()) >= offsets)

    async def level(self) -> None:
        exported = ("profiles", "runs", "alerts")
        ends = {place: end for place, end in (await self._log.ends()).items() if place.topic in exported}
        await self.until(lambda: all(self._positions().get(place, -1) >= end for place, end in ends.items()))

    async def shown(self, org: str, customer: str) -> Shown | None:
        fields = await stored_fields(self._project, self._emulator_host, f"customers/{org}_{customer}")
        if "points" not in fields:
            return None
        version = (fields["epoch"], fields["version"])
        return Shown(fields["points"], version)  # type: ignore[arg-type]

    async def lose_position(self) -> None:
        self._generation += 1


async def stored_fields(project: str, emulator_host: str, path: str) -> dict[str, object]:
    """All fields of a document, whoever they belong to."""
    connection = await connect(project, emulator_host=emulator_host)
    try:
        return dict((await connection.read({path: None}, None))[path].fields)
    finally:
        await connection.close()
