"""One org while it is ours: settings first, then polling and commands side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from producers.http import Clock
from producers.role.commands import STOP_SECONDS, Command, OrgCommands, supervised
from producers.role.parts import OrgProducer
from stream.engine.ports import Publisher

log = structlog.get_logger(__name__)


class OwnedOrg:
    """Begins to work when `start` is called and `may_begin` has returned; ends with `stop`."""

    def __init__(
        self,
        producer: OrgProducer,
        publisher: Publisher,
        may_begin: Callable[[], Awaitable[None]],
        done: Callable[[int], None],
        clock: Clock,
    ) -> None:
        self.producer = producer
        self._may_begin = may_begin
        self._clock = clock
        self._commands = OrgCommands(producer, publisher, done, clock)
        self._serving: asyncio.Task[None] | None = None

    def start(self, failed: Callable[[BaseException], None]) -> None:
        """Begin. `failed` is told when `may_begin` says that this process must not go on."""
        self._serving = asyncio.create_task(self._serve())
        self._serving.add_done_callback(lambda task: _tell_failure(task, failed))

    def submit(self, offset: int, command: Command, customer: str = "") -> None:
        """A command for this org; see `OrgCommands.submit`."""
        self._commands.submit(offset, command, customer)

    async def stop(self) -> None:
        """Cancel everything. Bounded; what was not acknowledged is repeated by the next owner."""
        await self._commands.stop()
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait([self._serving], timeout=STOP_SECONDS)
        log.info("org left", org=self.producer.org)

    async def _serve(self) -> None:
        await self._may_begin()
        log.info("org taken over", org=self.producer.org)
        self._commands.begin()
        running: list[tuple[str, Callable[[], Awaitable[None]]]] = [("background", b) for b in self.producer.background]
        if self.producer.new_poller is not None:
            running.append(("poller", self.producer.new_poller().run))
        async with asyncio.TaskGroup() as group:
            for what, run in running:
                group.create_task(supervised(what, self.producer.org, run, self._clock))


def _tell_failure(task: asyncio.Task[None], failed: Callable[[BaseException], None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        failed(error)
