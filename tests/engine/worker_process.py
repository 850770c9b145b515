"""A worker as a process of its own, with the real agents: what the fault tests kill, pause and cut off.

Run as `python -m tests.engine.worker_process` with its options as JSON in LOYALTY_TEST_WORKER.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from stream.agents.accounts import Accounts, accounts
from stream.agents.contacts import Contacts, contacts
from stream.contracts import topics
from stream.engine.faust.log import KafkaLog, KafkaTransaction
from stream.engine.faust.store import PartitionStores, RocksStore
from stream.engine.faust.worker import Stateful, WorkerApp, build, run

VARIABLE = "LOYALTY_TEST_WORKER"
READY = "ready"


class Options(msgspec.Struct, frozen=True):
    """`die`: how likely the process kills itself before each step of a unit. `fail`: what fails, `fencing`,
    `recovery` or `a unit`. `name`: its group membership."""

    bootstrap: str
    prefix: str
    partitions: int
    data_dir: str
    name: str
    die: float = 0.0
    fail: str = ""


def build_worker(options: Options) -> WorkerApp:
    """A worker with the stateful agents that facts go through."""
    return build(
        [
            Stateful(Accounts(), accounts, topics.ACCOUNTS_CHANGELOG),
            Stateful(Contacts(), contacts, topics.CONTACTS_CHANGELOG),
        ],
        bootstrap=options.bootstrap,
        prefix=options.prefix,
        partitions=options.partitions,
        data_dir=Path(options.data_dir),
        name=options.name,
    )


async def main(options: Options) -> None:
    """Run until SIGTERM."""
    if options.die:
        _die_between_steps(options.die)
    if options.fail:
        _fail(options.fail)
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await run(build_worker(options), ready=lambda: _say(READY))
    except asyncio.CancelledError:
        _say("stopped")


def _die_between_steps(likely: float) -> None:
    """SIGKILL before sending, storing, committing, and between commit and local store."""

    def deadly(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def dies_before(*arguments: Any) -> Any:
            _maybe_die(likely)
            return await step(*arguments)

        return dies_before

    for name in ("begin", "send", "store", "commit"):
        setattr(KafkaTransaction, name, deadly(getattr(KafkaTransaction, name)))
    write = RocksStore.write

    def dies_before_write(*arguments: Any) -> None:
        _maybe_die(likely)
        write(*arguments)

    setattr(RocksStore, "write", dies_before_write)  # noqa: B010  # its signature is not looked at


def _fail(what: str) -> None:
    def broken(*arguments: Any) -> Any:
        raise OSError("no space left on device")

    owner, step = {
        "fencing": (KafkaLog, "open"),
        "recovery": (PartitionStores, "apply_batch"),
        "a unit": (KafkaTransaction, "store"),
    }[what]
    setattr(owner, step, broken)


def _maybe_die(likely: float) -> None:
    if random.random() < likely:
        os.kill(os.getpid(), signal.SIGKILL)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(main(msgspec.json.decode(os.environ[VARIABLE], type=Options)))
