"""What the log holds for a reader, on a real Kafka: markers are no backlog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stream.bootstrap.backlog import Backlog, BacklogReader
from stream.bootstrap.measuring import WorkerMeter
from stream.contracts import topics
from stream.engine.ports import Input
from stream.ops.metrics import Metrics
from stream.sinks.reading import Place
from tests.sinks.kafka_log import KafkaLog, kafka_log

KEY = b"shop:c1"


@pytest.fixture
async def log(kafka: str, topic_prefix: str) -> AsyncIterator[KafkaLog]:
    async with kafka_log(kafka, topic_prefix) as log:
        yield log


async def published(log: KafkaLog, count: int, *, abort: bool = False) -> Place:
    """So many facts of one customer in one transaction; where they are. Kafka answers to a commit before its marker is
    written, and only with the marker can they be read."""
    await log.publish([Input(topics.FACTS.name, 0, 0, KEY, b"{}")] * count, abort=abort)
    reader = BacklogReader(log.bootstrap, log.prefix)
    async with asyncio.timeout(10):
        while True:
            ends = await reader.of({Place("facts", number): 0 for number in range(2)})
            here = max(ends, key=lambda place: ends[place].records)
            if abort or ends[here].records:
                return here


async def test_only_markers_beyond_a_position_are_nothing(log: KafkaLog) -> None:
    here = await published(log, 3)
    elsewhere = Place("facts", 1 - here.partition)
    reader = BacklogReader(log.bootstrap, log.prefix)
    assert await reader.of({here: 3, elsewhere: 0}) == {here: Backlog(0, None), elsewhere: Backlog(0, None)}
    assert await reader.of({here: 4}) == {here: Backlog(0, None)}
    await published(log, 2, abort=True)
    assert await reader.of({here: 3}) == {here: Backlog(0, None)}, "what was aborted is not for readers"


async def test_what_can_be_read_is_counted_from_the_first_record_on_with_its_age(log: KafkaLog) -> None:
    began_ms = int(time.time() * 1000)
    here = await published(log, 3)
    found = (await BacklogReader(log.bootstrap, log.prefix).of({here: 1}))[here]
    assert found.records == 3, "two records, and the marker behind them"
    assert found.since is not None
    assert began_ms <= found.since <= time.time() * 1000
    assert found.age_seconds(found.since + 1500) == 1.5


async def test_a_worker_at_rest_lags_behind_nothing(log: KafkaLog) -> None:
    here = await published(log, 3)
    metrics, included = Metrics(), {f"{log.prefix}facts-{here.partition}": 0}
    app = SimpleNamespace(ownership=SimpleNamespace(positions=lambda: included))
    meter = WorkerMeter(metrics, cast(Any, app), log.bootstrap, log.prefix, {"accounts": "facts"})

    def shown(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"agent": "accounts", "partition": str(here.partition)})

    await meter.lag()
    assert shown("loyalty_lag_records") == 3
    assert (shown("loyalty_oldest_unread_seconds") or 0) > 0
    included[f"{log.prefix}facts-{here.partition}"] = 2
    await meter.lag()
    assert (shown("loyalty_lag_records"), shown("loyalty_oldest_unread_seconds")) == (0, 0)
    included.clear()
    await meter.lag()
    assert shown("loyalty_lag_records") is None, "the partition went to another worker"
