"""`loyalty up`: every role for one configuration, as one tree of processes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import structlog

from stream.bootstrap.asking import start_again
from stream.bootstrap.brand import require_vendors
from stream.bootstrap.narration import Narrator
from stream.bootstrap.places import DataFolder, folder_of
from stream.bootstrap.processes import ProcessTree, Role
from stream.bootstrap.serving import kafka
from stream.errors import Unreachable
from stream.ops.probe import answers
from stream.ops.progress import Progress
from stream.settings import Configuration
from stream.sinks.views.read import Views

log = structlog.get_logger(__name__)

READY_SECONDS = 60.0
LOOK_SECONDS = 0.25
NEEDED = ("worker", "web")
"""What polling waits for. An export that cannot start holds nothing up: it goes on where it was, later."""


@dataclass
class Tree:
    """A running tree. `started_at`: monotonic seconds when polling was started."""

    processes: ProcessTree
    folder: DataFolder
    bootstrap: str
    started_at: float = 0.0


async def up(configuration: Configuration, *, progress: Progress) -> None:
    """Run every role until cancelled."""
    require_vendors(configuration)
    folder = folder_of(configuration)
    async with (
        folder.held(),
        kafka(configuration.kafka, folder, progress) as bootstrap,
        tree(configuration, bootstrap, {}, progress) as running,
    ):
        progress.say(f"web API: {folder.endpoints().get('web')}   logs: {folder.log('*')}   Ctrl-C ends it")
        with contextlib.closing(Views(folder.views)) as views:
            await start_again(configuration, bootstrap, views, progress)
            narrator = Narrator(views, progress, several=len(configuration.orgs) > 1)
            while not running.processes.failed.done():
                narrator.look()
                await asyncio.sleep(LOOK_SECONDS)
        await running.processes.failed


@contextlib.asynccontextmanager
async def tree(
    configuration: Configuration, bootstrap: str, environment: Mapping[str, str], progress: Progress
) -> AsyncIterator[Tree]:
    """All roles, ready, while the block runs; the poller starts last, when the others are there: positions are
    compared with the log's ends before anything new is written.

    The children read the configuration that this process read, from `LOYALTY_CONFIG` and the environment.
    """
    folder = folder_of(configuration)
    folder.forget_endpoints()
    folder.publish(kafka=bootstrap)
    given = {
        "LOYALTY_KAFKA__BOOTSTRAP": bootstrap,
        "LOYALTY_KAFKA__REPLICATION": str(configuration.kafka.replicas),
        **environment,
    }
    processes = ProcessTree(_roles(configuration, folder, given))
    polling = ProcessTree([Role("poll", ("poll",), given, folder.log("poll"))])
    try:
        processes.start()
        await _ready(folder, processes, progress)
        running = Tree(processes, folder, bootstrap, time.monotonic())
        polling.start()
        polling.failed.add_done_callback(lambda done: _pass_on(done, processes))
        yield running
    finally:
        progress("stopping", 0, 1)
        await polling.stop()
        await processes.stop()
        folder.forget_endpoints()
        progress("stopping", 1, 1)


def _roles(configuration: Configuration, folder: DataFolder, environment: Mapping[str, str]) -> list[Role]:
    """The slowest to start first."""
    arguments = {"worker": ("worker", "--name", "1"), "web": ("web",)}
    if configuration.firestore.project is not None:
        arguments["sink-firestore"] = ("sink", "firestore")
    if any(org.notify.configured for org in configuration.orgs):
        arguments["sink-notify"] = ("sink", "notify")
    return [Role(name, words, environment, folder.log(name), name in NEEDED) for name, words in arguments.items()]


async def _ready(folder: DataFolder, processes: ProcessTree, progress: Progress) -> None:
    """Wait until those that are needed answer that they are ready."""
    waiting = list(NEEDED)
    phase = f"starting {', '.join(NEEDED)}"
    deadline = time.monotonic() + READY_SECONDS
    while waiting:
        progress(phase, len(NEEDED) - len(waiting), len(NEEDED))
        if processes.failed.done():
            await processes.failed
        if time.monotonic() > deadline:
            raise Unreachable(
                f"{waiting[0]} was not ready within {READY_SECONDS:.0f} s: {processes.last_words(waiting[0])}\n"
                f"All of it is in {folder.log(waiting[0])}."
            )
        await asyncio.sleep(0.1)
        waiting = [name for name in waiting if not await _is_ready(folder.endpoints().get(name))]
    progress(phase, len(NEEDED), len(NEEDED))


async def _is_ready(address: str | None) -> bool:
    return address is not None and await asyncio.to_thread(answers, f"{address}/readyz")


def _pass_on(done: asyncio.Future[None], processes: ProcessTree) -> None:
    if not done.cancelled() and (error := done.exception()) is not None and not processes.failed.done():
        processes.failed.set_exception(error)
