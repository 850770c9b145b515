"""What discrepancies cost a run: 10,000 of 20,000 customers disagree for the first time, against a run without any.

Every run sees the 200,000 orders of the shop again, snapshots included, takes the balances that moved, and judges all
customers; one worker, pinned to one core, does it, durably. Three kinds of run follow one another, several times:

    quiet   nothing has moved: no verdict changes, nothing is said
    apart   10,000 balances are wrong: as many cases are opened, explained, and told in alerts
    agreed  they are right again: as many cases are resolved

CPU-seconds are the worker's own. The vendors take no time here, and contacts do not join: what a run costs beside the
verdicts is as little as it can be, so the ratio of whole runs is the worst that can be.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer

from bench.pipeline import AT_ONCE, NOW, ORG, PARTITIONS
from bench.worker import facts_of, worker_of
from stream.contracts.facts import (
    FACTS,
    BalanceMatched,
    CustomerObserved,
    OrderObserved,
    OrdersSnapshot,
    OrdersSwept,
    SweepSeen,
)
from stream.contracts.identities import IDENTITIES, ContactLinked
from stream.contracts.names import account_key
from stream.contracts.runs import RUNS, ChangeSettings
from stream.contracts.settings import Mode, OrgSettings
from stream.engine.connecting import connect
from stream.engine.faust.worker import run
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.ops.logging import configure_logging
from stream.sandbox.kafka import EmbeddedKafka

CUSTOMERS = 20_000
APART = 10_000
ORDERS = 10
ORDER_MINOR = 4_000
REPEATS = 3
DAY = 86_400_000
LOOK_SECONDS = 0.01
PREFIX = "bench."

LinkVersions = dict[str, tuple[int, int]]


class Spent(msgspec.Struct, frozen=True):
    """What a phase took the worker. `held_seconds`: the longest stretch of CPU time between two turns of a task that
    sleeps `LOOK_SECONDS`, which is how long the event loop may stand still."""

    cpu_seconds: float
    seconds: float
    held_seconds: float
    dead_letters: int


@dataclass
class Figures:
    """What the phases of one kind of run took, run by run."""

    phases: dict[str, list[Spent]] = field(default_factory=lambda: {"orders": [], "balances": [], "verdicts": []})

    def cpu(self, *phases: str) -> float:
        """Median over the runs of the phases' CPU-seconds together; of all phases where none is named."""
        return statistics.median(sum(spent.cpu_seconds for spent in run) for run in self._runs(phases))

    def wall(self) -> float:
        """Median over the runs of the seconds by the clock."""
        return statistics.median(sum(spent.seconds for spent in run) for run in self._runs(()))

    def _runs(self, phases: Sequence[str]) -> list[tuple[Spent, ...]]:
        return list(zip(*(self.phases[each] for each in phases or self.phases), strict=True))


async def measure(_: int) -> dict[str, object]:
    """Set the shop up, let the kinds of runs follow one another, and compare them."""
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedKafka(Path(folder)) as broker:
            await apply_topics(broker.bootstrap, PREFIX, PARTITIONS, 1)
            async with KafkaPublisher(broker.bootstrap, PREFIX, client_id="bench") as publisher:
                worker = await _Worker.start(broker.bootstrap, Path(folder) / "w", publisher)
                try:
                    figures = await _runs(worker, broker.bootstrap)
                finally:
                    await worker.stop()
    return _told(figures)


async def _runs(worker: _Worker, bootstrap: str) -> dict[str, Figures]:
    await worker.takes([_settings()], PARTITIONS)
    await worker.takes(_customers(), CUSTOMERS)
    links = await _link_versions(bootstrap)
    everybody, some = range(CUSTOMERS), range(APART)
    right, wrong = ORDERS * ORDER_MINOR // 100, ORDERS * ORDER_MINOR // 50
    await _run(worker, 0, _balances(0, everybody, right, links), Figures())  # all are matched from here on
    figures = {"quiet": Figures(), "apart": Figures(), "agreed": Figures()}
    for number in range(1, 3 * REPEATS, 3):
        await _run(worker, number, [], figures["quiet"])
        await _run(worker, number + 1, _balances(number + 1, some, wrong, links), figures["apart"])
        await _run(worker, number + 2, _balances(number + 2, some, right, links), figures["agreed"])
    return figures


async def _run(worker: _Worker, number: int, balances: Iterable[Output], figures: Figures) -> None:
    moved = list(balances)
    orders = [*_orders(number), *_everywhere(_swept(number))]
    seen = [each for contacts in range(PARTITIONS) for each in _everywhere(_seen(number, contacts))]
    for phase, outputs in (("orders", orders), ("balances", moved), ("verdicts", seen)):
        figures.phases[phase].append(await worker.takes(outputs, len(outputs)))


def _told(figures: dict[str, Figures]) -> dict[str, object]:
    quiet = figures["quiet"]
    told: dict[str, object] = {"customers": CUSTOMERS, "of them apart": APART, "orders": CUSTOMERS * ORDERS}
    for kind, each in figures.items():
        told |= {f"{kind}: {phase}, CPU-seconds": round(each.cpu(phase), 2) for phase in each.phases}
        told[f"{kind}: whole run, CPU-seconds"] = round(each.cpu(), 2)
        told[f"{kind}: whole run, seconds"] = round(each.wall(), 2)
        held = max(spent.held_seconds for spent in each.phases["verdicts"])
        told[f"{kind}: longest stop of the event loop in verdicts, ms"] = round(1000 * held)
    for kind in ("apart", "agreed"):
        told[f"{kind} ÷ quiet, verdicts"] = round(figures[kind].cpu("verdicts") / quiet.cpu("verdicts"), 2)
        told[f"{kind} ÷ quiet, whole run"] = round(figures[kind].cpu() / quiet.cpu(), 2)
        told[f"{kind} ÷ quiet, whole run, by the clock"] = round(figures[kind].wall() / quiet.wall(), 2)
    told["dead letters"] = sum(s.dead_letters for each in figures.values() for p in each.phases.values() for s in p)
    return told


# --- what is published ---


def _settings() -> Output:
    body = ChangeSettings(OrgSettings(mode=Mode.LIVE), by="bench")
    return Output("runs", ORG.encode(), RUNS.encode(body, org=ORG, at=NOW, source="bench"))


def _fact(customer: int, body: msgspec.Struct, at: int) -> Output:
    value = FACTS.encode(body, org=ORG, customer=str(customer), at=at, source="bench")
    return Output("facts", account_key(ORG, str(customer)), value)


def _everywhere(fact: tuple[msgspec.Struct, str, int]) -> list[Output]:
    body, event_id, at = fact
    value = FACTS.encode(body, org=ORG, at=at, source="bench", event_id=event_id)
    return [Output("facts", ORG.encode(), value, (), partition) for partition in range(PARTITIONS)]


def _identity(customer: int) -> str:
    return f"code:{customer:016x}"


def _customers() -> Iterator[Output]:
    for customer in range(CUSTOMERS):
        yield _fact(customer, CustomerObserved(NOW, "1", (_identity(customer),)), NOW)


def _orders(number: int) -> Iterator[Output]:
    """Each customer's orders, as they are seen in that run, and the snapshot of them."""
    at = NOW + number * DAY
    for customer in range(CUSTOMERS):
        hashes = {f"{customer}-{each}": f"{customer:08x}{each:08x}" for each in range(ORDERS)}
        for each, (order, content_hash) in enumerate(hashes.items()):
            yield _fact(customer, _order(order, content_hash, NOW - (each + 2) * DAY, at), at)
        snapshot = OrdersSnapshot(_id(number), 1, 1, hashes, NOW - 400 * DAY, at, at)
        yield _fact(customer, snapshot, at)


def _order(order: str, content_hash: str, created_at: int, observed_at: int) -> OrderObserved:
    return OrderObserved(
        order=order,
        total_minor=ORDER_MINOR,
        currency="USD",
        created_at=created_at,
        observed_at=observed_at,
        content_hash=content_hash,
        subtotal_minor=ORDER_MINOR - 400,
        tax_minor=400,
        completed=True,
        paid=True,
        status="complete",
        location="1000",
    )


def _balances(number: int, customers: Sequence[int], points: int, links: LinkVersions) -> Iterator[Output]:
    at = NOW + number * DAY
    for customer in customers:
        identity = _identity(customer)
        body = BalanceMatched(identity, links[identity], (0, number), f"contact-{customer}", points, at)
        yield _fact(customer, body, at)


def _id(number: int) -> str:
    return f"{ORG}:daily:{number}"


def _swept(number: int) -> tuple[msgspec.Struct, str, int]:
    run, at = _id(number), NOW + number * DAY
    return OrdersSwept(run, 1, run, True, NOW - 400 * DAY, at, at), f"{run}:swept", at


def _seen(number: int, contacts: int) -> tuple[msgspec.Struct, str, int]:
    run, at = _id(number), NOW + number * DAY
    return SweepSeen(run, 1, contacts, PARTITIONS, at), f"{run}:{contacts}:seen", at


async def _link_versions(bootstrap: str) -> LinkVersions:
    """What accounts told contacts: the versions that answers must carry."""
    consumer = AIOKafkaConsumer(
        f"{PREFIX}identities",
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await connect(consumer)
    versions: LinkVersions = {}
    try:
        while len(versions) < CUSTOMERS:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                events = (IDENTITIES.decode(record.value).data for record in records)
                versions |= {e.identity: e.link_version for e in events if isinstance(e, ContactLinked)}
    finally:
        await consumer.stop()
    return versions


# --- who takes it ---


class _Worker:
    """A worker process that is told how many facts to wait for."""

    def __init__(self, process: asyncio.subprocess.Process, publisher: KafkaPublisher) -> None:
        self._process = process
        self._publisher = publisher
        self._facts = 0

    @classmethod
    async def start(cls, bootstrap: str, folder: Path, publisher: KafkaPublisher) -> _Worker:
        """A worker on one core."""
        command = [sys.executable, "-m", "bench.verdicts", bootstrap, str(folder)]
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe), publisher)

    async def takes(self, outputs: Iterable[Output], facts: int) -> Spent:
        """Publish what leads to so many facts, and wait until they have been applied."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        records = list(outputs)
        self._facts += facts
        self._process.stdin.write(b"%d\n" % self._facts)
        for start in range(0, len(records), AT_ONCE):
            await self._publisher.publish(records[start : start + AT_ONCE])
        said = await self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"the worker ended with {await self._process.wait()}")
        return msgspec.json.decode(said, type=Spent)

    async def stop(self) -> None:
        """End the process."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def _serve(bootstrap: str, folder: Path) -> None:
    """Be the worker: for each number on stdin, say what it took until so many facts had been applied."""
    app = worker_of(bootstrap, PREFIX, folder, PARTITIONS)
    ready = asyncio.Event()
    running = asyncio.create_task(run(app, ready.set))
    await ready.wait()
    while asked := await asyncio.to_thread(sys.stdin.readline):
        cpu, began, held = time.process_time(), time.monotonic(), 0.0
        while facts_of(app) < int(asked):
            if running.done():
                await running
            slept = time.thread_time()
            await asyncio.sleep(LOOK_SECONDS)
            held = max(held, time.thread_time() - slept)
        spent = Spent(time.process_time() - cpu, time.monotonic() - began, held, app.ownership.dead_letters())
        sys.stdout.write(json.dumps(msgspec.structs.asdict(spent)) + "\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    configure_logging()
    os.sched_setaffinity(0, {0})
    uvloop.install()
    asyncio.run(_serve(sys.argv[1], Path(sys.argv[2])))
