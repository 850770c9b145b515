"""One worker for `bench.pipeline`: says, in one line of JSON, how long it took and what it used."""

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

LOOK_SECONDS = 0.02


async def main(bootstrap: str, prefix: str, folder: Path, partitions: int, until: int) -> None:
    """Run until `until` facts were applied since the start."""
    app = build(
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
    ready = asyncio.Event()
    running = asyncio.create_task(run(app, ready.set))
    await ready.wait()
    while not _facts(app):  # the first fetch is the start, not the work
        await asyncio.sleep(LOOK_SECONDS)
    before, began, cpu = _facts(app), time.monotonic(), time.process_time()
    while _facts(app) < until:
        if running.done():
            await running
        await asyncio.sleep(LOOK_SECONDS)
    said = {
        "applied": _facts(app),
        "timed": _facts(app) - before,
        "dead_letters": app.ownership.dead_letters(),
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - cpu,
        "resident_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(said), flush=True)
    os._exit(0)


def _facts(app: WorkerApp) -> int:
    return app.ownership.applied("accounts")


if __name__ == "__main__":
    os.sched_setaffinity(0, {0})
    uvloop.install()
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
