"""Orders per second of one worker on one core, durable, with the real rules.

400,000 orders of 20,000 customers lie in the log; one worker process, pinned to one core, takes them: order lines,
accounts, points entries and profiles, in RocksDB and in Kafka, a transaction per unit, acknowledged by the broker.
CPU-seconds are the worker's own.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stream.contracts.facts import FACTS, OrderObserved
from stream.contracts.names import account_key
from stream.contracts.runs import RUNS, ChangeSettings
from stream.contracts.settings import Mode, OrgSettings
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.sandbox.kafka import EmbeddedKafka

ORG = "bench"
CUSTOMERS = 20_000
PARTITIONS = 4
AT_ONCE = 50_000
NOW = 1_780_000_000_000


async def measure(orders: int) -> dict[str, object]:
    """Fill the log, run one worker over it, and read off what it says."""
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedKafka(Path(folder)) as broker:
            prefix = "bench."
            await apply_topics(broker.bootstrap, prefix, PARTITIONS, 1)
            async with KafkaPublisher(broker.bootstrap, prefix, client_id="bench") as publisher:
                await publisher.publish([_settings()])
                # The settings reach every partition of facts before the first order does.
                await _worker(broker.bootstrap, prefix, Path(folder) / "w", until=PARTITIONS)
                for start in range(0, orders, AT_ONCE):
                    await publisher.publish(_orders(start, min(start + AT_ONCE, orders)))
            said = await _worker(broker.bootstrap, prefix, Path(folder) / "w", until=orders)
    return {
        "orders": said["applied"],
        "dead letters": said["dead_letters"],
        "orders/s": round(said["timed"] / said["seconds"]),
        "orders per CPU-second": round(said["timed"] / said["cpu_seconds"]),
        "resident MB": round(said["resident_kb"] / 1024),
    }


async def _worker(bootstrap: str, prefix: str, folder: Path, *, until: int) -> dict[str, int]:
    """One worker on one core, until it has applied so many facts."""
    command = [sys.executable, "-m", "bench.worker", bootstrap, prefix, str(folder), str(PARTITIONS), str(until)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the worker ended with {process.returncode}")
    said: dict[str, int] = json.loads(output)
    return said


def _settings() -> Output:
    body = ChangeSettings(OrgSettings(mode=Mode.LIVE), by="bench")
    return Output("runs", ORG.encode(), RUNS.encode(body, org=ORG, at=NOW, source="bench"))


def _orders(start: int, end: int) -> Iterator[Output]:
    dice = random.Random(start)
    for number in range(start, end):
        customer = str(dice.randrange(CUSTOMERS))
        at = NOW + number
        body = OrderObserved(
            order=str(number),
            total_minor=dice.randrange(500, 20_000),
            currency="USD",
            created_at=at,
            observed_at=at,
            content_hash=f"{number:016x}",
            subtotal_minor=400,
            tax_minor=100,
            completed=True,
            paid=True,
            status="complete",
            location="1000",
        )
        value = FACTS.encode(body, org=ORG, customer=customer, at=at, source="alleaves")
        yield Output("facts", account_key(ORG, customer), value)
