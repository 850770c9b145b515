"""One worker for the benches. Run by itself it is `bench.pipeline`'s, and says in one line of JSON how long it took and
what it used."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path

import uvloop

from stream.agents.accounts import Accounts, accounts
from stream.agents.contacts import Contacts, contacts
from stream.agents.runs import Runs, runs
from stream.contracts import topics
from stream.engine.faust.worker import Stateful, WorkerApp, build, run
from stream.ops.logging import configure_logging

LOOK_SECONDS = 0.02


def worker_of(bootstrap: str, prefix: str, folder: Path, partitions: int) -> WorkerApp:
    """A worker with all agents, its state in `folder`."""
    return build(
        (
            Stateful(Accounts(), accounts, topics.ACCOUNTS_CHANGELOG),
            Stateful(Contacts(), contacts, topics.CONTACTS_CHANGELOG),
            Stateful(Runs(), runs, topics.RUNS_CHANGELOG),
        ),
        bootstrap=bootstrap,
        prefix=prefix,
        partitions=partitions,
        data_dir=folder,
        name="bench",
    )


async def main(bootstrap: str, prefix: str, folder: Path, partitions: int, until: int) -> None:
    """Run until `until` facts were applied since the start."""
    app = worker_of(bootstrap, prefix, folder, partitions)
    ready = asyncio.Event()
    running = asyncio.create_task(run(app, ready.set))
    await ready.wait()
    while not facts_of(app):  # the first fetch is the start, not the work
        await asyncio.sleep(LOOK_SECONDS)
    before, began, cpu = facts_of(app), time.monotonic(), time.process_time()
    while facts_of(app) < until:
        if running.done():
            await running
        await asyncio.sleep(LOOK_SECONDS)
    said = {
        "applied": facts_of(app),
        "timed": facts_of(app) - before,
        "dead_letters": app.ownership.dead_letters(),
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
        "resident_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(said), flush=True)
    os._exit(0)


def facts_of(app: WorkerApp) -> int:
    """Facts applied since the start."""
    return app.ownership.applied("accounts")


if __name__ == "__main__":
    configure_logging()
    os.sched_setaffinity(0, {0})
    uvloop.install()
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
