"""One contract for cursors, over Kafka and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from producers.cursors import Cursors, KafkaCursors, MemoryCursors, cursor_key
from producers.reading import last_value
from stream.contracts.cursors import Cursor
from stream.contracts.names import OrgId
from stream.engine.partitioning import murmur2_partition
from stream.engine.ports import Output
from stream.engine.publisher import KafkaPublisher
from stream.engine.topics_admin import apply_topics
from stream.errors import BadRecord

ORG, OTHER = OrgId("brand_example"), OrgId("brand_two")
PARTITIONS = 3
Reopen = Callable[[], Cursors]


@pytest.fixture(params=["memory", "kafka"])
async def reopen(request: pytest.FixtureRequest) -> AsyncIterator[Reopen]:
    """Opens the same cursors again, as another process would."""
    if request.param == "memory":
        cursors = MemoryCursors()
        yield lambda: cursors
        return
    kafka, prefix = request.getfixturevalue("kafka"), request.getfixturevalue("topic_prefix")
    await apply_topics(kafka, prefix, PARTITIONS, 1)
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(KafkaPublisher(kafka, prefix, client_id="test"))
        yield lambda: KafkaCursors(publisher, kafka, prefix)


async def test_a_source_that_was_never_read_has_no_cursor(reopen: Reopen) -> None:
    assert await reopen().load(ORG, "alleaves") is None


async def test_the_cursor_is_as_it_was_last_saved_for_whoever_opens_it(reopen: Reopen) -> None:
    first, second = reopen(), reopen()
    await first.save(ORG, "alleaves", Cursor(through=1))
    await first.save(ORG, "alleaves", Cursor(through=2, detail={"2026-01": "done"}))
    assert await second.load(ORG, "alleaves") == Cursor(through=2, detail={"2026-01": "done"})
    await second.save(ORG, "alleaves", Cursor(through=3))
    assert await first.load(ORG, "alleaves") == Cursor(through=3)


async def test_orgs_and_sources_keep_apart(reopen: Reopen) -> None:
    cursors = reopen()
    for number, (org, source) in enumerate([(ORG, "orders"), (ORG, "backfill"), (OTHER, "orders")]):
        await cursors.save(org, source, Cursor(through=number))
    assert await cursors.load(ORG, "orders") == Cursor(through=0)
    assert await cursors.load(ORG, "backfill") == Cursor(through=1)
    assert await cursors.load(OTHER, "orders") == Cursor(through=2)
    assert await cursors.load(OTHER, "backfill") is None


async def test_a_removed_cursor_is_none_and_a_record_that_is_no_cursor_is_named(kafka: str, topic_prefix: str) -> None:
    await apply_topics(kafka, topic_prefix, PARTITIONS, 1)
    async with KafkaPublisher(kafka, topic_prefix, client_id="test") as publisher:
        cursors = KafkaCursors(publisher, kafka, topic_prefix)
        await cursors.save(ORG, "orders", Cursor(through=5))
        key = cursor_key(ORG, "orders")
        await publisher.publish([Output("cursors", key, None)])
        assert await cursors.load(ORG, "orders") is None
        await publisher.publish([Output("cursors", key, b"{}")])
        with pytest.raises(BadRecord):
            await cursors.load(ORG, "orders")
        partition = murmur2_partition(key, PARTITIONS)
        assert await last_value(kafka, topic_prefix, "cursors", partition, key) == b"{}"
