"""`loyalty up`: every role for one configuration, as one tree of processes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import structlog

from stream.bootstrap.places import DataFolder, folder_of
from stream.bootstrap.processes import ProcessTree, Role
from stream.bootstrap.serving import kafka
from stream.errors import ConfigurationError, Unreachable
from stream.ops.progress import Progress
from stream.settings import Configuration

log = structlog.get_logger(__name__)

READY_SECONDS = 60.0
ROLES = {"worker": ("worker", "--name", "1"), "web": ("web",), "poll": ("poll",)}


@dataclass
class Tree:
    """A running tree. `started_at`: monotonic seconds when polling was started."""

    processes: ProcessTree
    folder: DataFolder
    bootstrap: str
    started_at: float = 0.0


async def up(configuration: Configuration, *, progress: Progress) -> None:
    """Run every role until cancelled."""
    if not configuration.orgs:
        raise ConfigurationError("no [[org]] is configured: see loyalty.example.toml")
    async with tree(configuration, {}, progress) as running:
        log.warning("everything runs", web=running.folder.endpoints().get("web"), logs=str(running.folder.log("*")))
        await running.processes.failed


@contextlib.asynccontextmanager
async def tree(
    configuration: Configuration, environment: Mapping[str, str], progress: Progress
) -> AsyncIterator[Tree]:
    """Kafka and all roles, ready, while the block runs; the poller starts last, when the others are there.

    The children read the configuration that this process read, from `LOYALTY_CONFIG` and the environment.
    """
    folder = folder_of(configuration)
    folder.forget_endpoints()
    async with kafka(configuration.kafka, folder, progress) as bootstrap:
        folder.publish(kafka=bootstrap)
        given = {"LOYALTY_KAFKA__BOOTSTRAP": bootstrap, "LOYALTY_KAFKA__REPLICATION": str(configuration.kafka.replicas)}
        listening = _roles(configuration, folder, given | dict(environment))
        processes = ProcessTree(listening)
        polling = ProcessTree([Role("poll", ROLES["poll"], given | dict(environment), folder.log("poll"))])
        try:
            processes.start()
            await _ready(folder, listening, processes, progress)
            running = Tree(processes, folder, bootstrap, time.monotonic())
            polling.start()
            polling.failed.add_done_callback(lambda done: _pass_on(done, processes))
            yield running
        finally:
            progress("stopping", 0, 1)
            await polling.stop()
            await processes.stop()
            progress("stopping", 1, 1)
    folder.forget_endpoints()


def _roles(configuration: Configuration, folder: DataFolder, environment: Mapping[str, str]) -> list[Role]:
    arguments = {"worker": ROLES["worker"], "web": ROLES["web"]}
    if configuration.firestore.project is not None:
        arguments["sink-firestore"] = ("sink", "firestore")
    return [Role(name, words, environment, folder.log(name)) for name, words in arguments.items()]


async def _ready(folder: DataFolder, roles: list[Role], processes: ProcessTree, progress: Progress) -> None:
    """Wait until every role answers that it is ready."""
    from stream.ops.probe import answers

    waiting = [role.name for role in roles]
    deadline = time.monotonic() + READY_SECONDS
    while waiting:
        progress(f"starting {', '.join(role.name for role in roles)}", len(roles) - len(waiting), len(roles))
        if processes.failed.done():
            await processes.failed
        if time.monotonic() > deadline:
            raise Unreachable(f"{waiting[0]} was not ready within {READY_SECONDS:.0f} s. See {folder.log(waiting[0])}.")
        endpoints = folder.endpoints()
        still = []
        for name in waiting:
            address = endpoints.get(name)
            if address is None or not await asyncio.to_thread(answers, f"{address}/readyz"):
                still.append(name)
        waiting = still
        await asyncio.sleep(0.1)
    progress(f"starting {', '.join(role.name for role in roles)}", len(roles), len(roles))


def _pass_on(done: asyncio.Future[None], processes: ProcessTree) -> None:
    if not done.cancelled() and (error := done.exception()) is not None and not processes.failed.done():
        processes.failed.set_exception(error)
